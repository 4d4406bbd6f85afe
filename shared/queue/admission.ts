/** What an ingress asks of the queue when it wants a call accepted, and what it may hear. */
import { Fault } from '../faults.ts';
import type { Tenant, User } from '../tenants/tenant.ts';
import { encodeInvocation, type Invocation } from './invocation.ts';

export interface AdmissionRequest {
  readonly tenant: Tenant;
  readonly user: User;
  readonly invocation: Invocation;
  /** Where this ingress hears the reply. */
  readonly replyTo: string;
  /** How long the stored reply is kept. */
  readonly replyTtlMs: number;
  /** Digest of the arguments of a call with an idempotency key; '' without one. */
  readonly fingerprint: string;
  /** Redis time in ms after which nobody waits for the answer. */
  readonly admitBy: number;
  /** How long the call may take, queue included. */
  readonly timeoutMs: number;
  /** How many requests of the rates it costs. */
  readonly cost: number;
  /** True if this runs a dead letter again: the reply that the call got does not count. */
  readonly replays?: boolean;
}

export type Admission =
  /** On the queue; `deadline` is epoch ms by the clock of Redis. */
  | { readonly outcome: 'queued' | 'attached'; readonly now: number; readonly deadline: number }
  /** Ended before under the same idempotency key. */
  | { readonly outcome: 'replied'; readonly now: number; readonly reply: string }
  | { readonly outcome: 'refused'; readonly now: number; readonly fault: Fault };

/** As `admit.lua` reads them. */
export function encodeAdmission({
  tenant,
  user,
  invocation,
  ...request
}: AdmissionRequest): string[] {
  const { limits, weight, version } = tenant;
  const { concurrency, backlog, backlogBytes, requestsPerMinute, userRequestsPerMinute } = limits;
  const { admitBy, timeoutMs, cost, replyTtlMs, replays } = request;
  const perTool = limits.tools[invocation.tool] ?? '';
  return [
    tenant.id,
    `${concurrency} ${weight} ${version} ${backlog} ${backlogBytes} ${requestsPerMinute} ${userRequestsPerMinute}`,
    user.id,
    invocation.id,
    invocation.tool,
    encodeInvocation(invocation),
    request.replyTo,
    request.fingerprint,
    `${admitBy} ${timeoutMs} ${cost} ${replyTtlMs} ${replays ? 1 : 0} ${perTool}`,
  ];
}

/** The refusals of `admit.lua`, each with what to do about it. */
export function toRefusal(outcome: string, waitMs: number, tenant: Tenant, tool: string): Fault {
  const retry = { retryAfterMs: Math.max(1, waitMs) };
  const { requestsPerMinute, userRequestsPerMinute, backlog, backlogBytes, tools } = tenant.limits;
  switch (outcome) {
    case 'tenant_rate':
      return new Fault(
        'quota_exceeded',
        `The tenant's limit of ${requestsPerMinute} requests a minute is used up.`,
        retry,
      );
    case 'user_rate':
      return new Fault(
        'quota_exceeded',
        `The user's limit of ${userRequestsPerMinute} requests a minute is used up.`,
        retry,
      );
    case 'tool_rate':
      return new Fault(
        'quota_exceeded',
        `The tenant's limit of ${tools[tool]} requests a minute to ${tool} is used up.`,
        retry,
      );
    case 'backlog':
      return new Fault(
        'backlog_full',
        `${backlog} calls of this tenant are waiting already, which is the limit.`,
        retry,
      );
    case 'bytes':
      return new Fault(
        'backlog_full',
        `Unfinished calls of this tenant hold the limit of ${backlogBytes} bytes of arguments.`,
        retry,
      );
    case 'conflict':
      return new Fault(
        'idempotency_conflict',
        'This idempotency key was used for a call with other arguments. Use a new key.',
      );
    default:
      return new Fault('overloaded', 'The queue did not answer in time.', {
        retryAfterMs: 1_000,
      });
  }
}
