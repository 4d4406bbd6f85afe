/** How the records of tenants, users and keys are cached, the same wherever they are. */
import { Fault } from '../faults.ts';
import type { ReadThrough, ReadThroughOptions } from './read-through.ts';

export interface CachePorts {
  /** See `follow-writes.ts`. Absent: nothing is known but what was just read. */
  readonly confirmedAt?: (() => number) | undefined;
  /** Monotonic milliseconds. */
  readonly now?: (() => number) | undefined;
}

const retryMs = 1_000;

export function recordCaching({
  confirmedAt,
  now,
}: CachePorts): Omit<ReadThroughOptions<never>, 'read'> {
  return {
    capacity: 20_000,
    // Below the 5 s within which a change holds everywhere, announced or not.
    ttlMs: 4_000,
    // Records that somebody wrote past the store, which leaves no note, hold after this.
    longestMs: 60_000,
    absentTtlMs: 1_000,
    staleMs: 30_000,
    timeoutMs: 2_000,
    retryMs,
    confirmedAt,
    now: now ?? (() => performance.now()),
  };
}

/** @throws {Fault} `overloaded` if the store does not answer. */
export async function readRecord<Value>(
  cache: ReadThrough<Value>,
  key: string,
): Promise<Value | undefined> {
  try {
    return await cache.get(key);
  } catch (cause) {
    const message = 'Tenant records cannot be read';
    throw new Fault('overloaded', message, { retryAfterMs: retryMs, cause });
  }
}
