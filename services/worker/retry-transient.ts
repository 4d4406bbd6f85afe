/**
 * Tries a call again, inside its slot and its lease, after a failure that may pass: a store that
 * throttled or did not answer, for longer than the SDK's own retries last. Only for tools that may
 * run twice. Each attempt counts as one of the call, since an earlier one may have written.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { Fault } from '../../shared/faults.ts';
import type { HeldLease } from './held-lease.ts';

const mostRetries = 4;
const firstWaitMs = 200;
/** A retry that could not end in time would turn a clear fault into an expired call. */
const marginMs = 1_000;

/** @throws the last failure, once there is no time or no attempt left. */
export async function retryTransient<Result>(
  held: HeldLease,
  attempt: (held: HeldLease) => Promise<Result>,
): Promise<Result> {
  const { lease, signal } = held;
  const endsAt = performance.now() + lease.remainingMs - marginMs;
  for (let retry = 0; ; retry += 1) {
    try {
      return await attempt(
        retry === 0 ? held : { ...held, lease: { ...lease, attempt: lease.attempt + retry } },
      );
    } catch (thrown) {
      const waitMs = waitAfter(thrown, retry);
      if (waitMs === undefined || performance.now() + waitMs > endsAt) throw thrown;
      await sleep(waitMs, undefined, { signal }).catch(() => signal.throwIfAborted());
    }
  }
}

/** Undefined if another attempt would not help. Jittered upwards: the store has asked for at least so long. */
function waitAfter(thrown: unknown, retry: number): number | undefined {
  if (!(thrown instanceof Fault) || thrown.code !== 'tool_failed') return undefined;
  if (thrown.retryAfterMs === undefined || retry === mostRetries) return undefined;
  const leastMs = Math.max(thrown.retryAfterMs, firstWaitMs * 2 ** retry);
  return leastMs * (1 + Math.random() / 4);
}
