/** The exclusive, expiring right to run one invocation, as a worker holds it. */
import type { InvocationId, TenantId } from '../ids.ts';
import type { Invocation } from './invocation.ts';

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
  /** True if an earlier attempt had begun a tool that must run at most once. */
  readonly begun: boolean;
  /** True if a cancel arrived before this claim. */
  readonly cancelled: boolean;
  /** Milliseconds from the claim to the call's deadline; may be negative. */
  readonly remainingMs: number;
}
