/**
 * One operation of a service that speaks JSON: its input is parsed, then the caller's access
 * checked, then the work done. An input member the local AWS does not know is refused by name.
 */
import type { z } from 'zod';
import { requireAccess, type Caller } from './access.ts';
import { invalid } from './aws-error.ts';
import type { AccessRequest } from './policy.ts';

export interface Call {
  readonly caller: Caller;
  /** As IAM names the operation, such as `dynamodb:GetItem`. */
  readonly action: string;
  /** Aborts once the client has gone. */
  readonly signal: AbortSignal;
}

/** Returns the output, or undefined if the operation has none. */
export type Operation = (input: unknown, call: Call) => unknown;

export interface JsonService {
  /** As X-Amz-Target begins. */
  readonly target: string;
  /** As IAM actions begin. */
  readonly prefix: string;
  readonly contentType: string;
  /** Precedes error names on the wire. */
  readonly errorNamespace: string;
  /** What an operation without output answers. */
  readonly emptyBody: string;
  readonly operations: Readonly<Record<string, Operation>>;
}

export function operation<Schema extends z.ZodType>(
  schema: Schema,
  definition: {
    /** Absent: the operation on every resource, which no tenant is allowed. */
    readonly needs?: (input: z.output<Schema>, action: string) => readonly AccessRequest[];
    readonly run: (input: z.output<Schema>, call: Call) => unknown;
  },
): Operation {
  return (input, call) => {
    const parsed = schema.safeParse(input);
    if (!parsed.success) throw invalid(describe(parsed.error));
    if (call.caller.mayDo !== undefined) {
      const everything = { action: call.action, resource: '*', context: {} };
      const requests = definition.needs?.(parsed.data, call.action) ?? [everything];
      requireAccess(call.caller, requests);
    }
    return definition.run(parsed.data, call);
  };
}

function describe(error: z.ZodError): string {
  const [issue] = error.issues;
  if (!issue) return 'Invalid input';
  if (issue.code === 'unrecognized_keys') {
    return `Parameter not supported by the local AWS: ${issue.keys.join(', ')}`;
  }
  const path = issue.path.join('.');
  return `Value at '${path}' failed to satisfy constraint: ${issue.message}`;
}
