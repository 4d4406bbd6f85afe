/** Who calls, and what they may do: the account itself anything, a session what its policies allow. */
import { AwsError } from './aws-error.ts';
import type { AccessRequest, Policy } from './policy.ts';

export interface Caller {
  readonly arn: string;
  readonly userId: string;
  /** Absent: everything is allowed. */
  readonly mayDo?: Policy;
}

/** A session needs the allowance of every policy, each of which sees the session's tags. */
export function confinedBy(
  policies: readonly Policy[],
  tags: Readonly<Record<string, string>>,
): Policy {
  const principal = Object.fromEntries(
    Object.entries(tags).map(([name, value]) => [`aws:PrincipalTag/${name}`, [value]]),
  );
  return ({ action, resource, context }) => {
    const request = { action, resource, context: { ...context, ...principal } };
    return policies.every((allows) => allows(request));
  };
}

export function isAllowed(caller: Caller, request: AccessRequest): boolean {
  return caller.mayDo === undefined || caller.mayDo(request);
}

/** @throws {AwsError} AccessDeniedException for the first request that is not allowed. */
export function requireAccess(caller: Caller, requests: readonly AccessRequest[]): void {
  if (caller.mayDo === undefined) return;
  for (const request of requests) {
    if (!caller.mayDo(request)) throw accessDenied(caller, request);
  }
}

function accessDenied(caller: Caller, { action, resource }: AccessRequest): AwsError {
  return new AwsError(
    'AccessDeniedException',
    `User: ${caller.arn} is not authorized to perform: ${action} on resource: ${resource} because no identity-based policy allows the ${action} action`,
  );
}
