/** The exclusive, expiring right to run one invocation, as a worker holds it. */
import { z } from 'zod';
import type { InvocationId, TenantId } from '../ids.ts';
import { decodeInvocation, type Invocation } from './invocation.ts';
import { ForeignVersion } from './message-versions.ts';

export interface Lease {
  readonly shard: number;
  readonly tenant: TenantId;
  readonly id: InvocationId;
  /** Fences the settlement: unique per attempt. */
  readonly token: string;
  /** Undefined if the message is for other builds, or damaged. */
  readonly invocation: Invocation | undefined;
  /** True if the message is of a version that other builds read: this one must hand it back. */
  readonly foreign: boolean;
  /** Where the first waiter hears progress. */
  readonly replyTo: string;
  /** Order of admission: µs of Redis time, strictly increasing per tenant. */
  readonly sequence: number;
  /** 1 for the first time the invocation is claimed. */
  readonly attempt: number;
  /** Milliseconds from its admission to this claim. */
  readonly waitedMs: number;
  /** True if an earlier attempt had begun a tool that must run at most once. */
  readonly begun: boolean;
  /** True if a cancel arrived before this claim. */
  readonly cancelled: boolean;
  /** Milliseconds from the claim to the call's deadline; may be negative. */
  readonly remainingMs: number;
}

/** data, replyTo, sequence, ats, begun, cancel, deadline: see `scripts/take.lua`. */
export const JobFields = z.array(z.string().nullable());

/** From what `scripts/take.lua` tells of a call. */
export function readLease(
  taken: Pick<Lease, 'shard' | 'tenant' | 'id' | 'token'> & { readonly now: number },
  fields: z.output<typeof JobFields>,
): Lease {
  const { now, ...identity } = taken;
  const [data, replyTo, sequence, attempt, begun, cancel, deadline] = fields;
  return {
    ...identity,
    ...readInvocation(data ?? ''),
    replyTo: replyTo ?? '',
    sequence: Number(sequence),
    // A sequence number is the time of admission in µs, moved on where two would be equal.
    waitedMs: Math.max(0, now - Number(sequence) / 1_000),
    attempt: Number(attempt),
    begun: typeof begun === 'string',
    cancelled: typeof cancel === 'string',
    remainingMs: Number(deadline) - now,
  };
}

function readInvocation(data: string): Pick<Lease, 'invocation' | 'foreign'> {
  try {
    return { invocation: decodeInvocation(data), foreign: false };
  } catch (error) {
    return { invocation: undefined, foreign: error instanceof ForeignVersion };
  }
}
