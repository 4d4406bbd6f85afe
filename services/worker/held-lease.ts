/**
 * A lease as the worker that holds it sees it: valid until its own clocks say otherwise, and one
 * `AbortSignal` for everything that can end it early: cancel, deadline, loss of the lease, drain.
 */
import { performance } from 'node:perf_hooks';
import type { Lease } from '../../shared/queue/lease.ts';

/** Why a running call was told to stop. */
export type StopReason = 'cancelled' | 'timed_out' | 'lease_lost' | 'draining';

export class Stopped extends Error {
  override readonly name = 'Stopped';
  readonly reason: StopReason;

  constructor(reason: StopReason) {
    super(`The call was stopped: ${reason}`);
    this.reason = reason;
  }
}

/** Two clocks: the monotonic one stops while a machine sleeps, the wall clock can be set back. */
interface Instant {
  readonly monotonic: number;
  readonly wall: number;
}

export function instant(): Instant {
  return { monotonic: performance.now(), wall: Date.now() };
}

export interface HeldLease {
  readonly lease: Lease;
  readonly signal: AbortSignal;
  /** @throws {Stopped} if the call may not start another AWS request. */
  assertHeld(): void;
  /** A renewal sent at `sentAt` was confirmed. */
  extend(sentAt: Instant): void;
  stop(reason: StopReason): void;
  /** Stops the timers; to be called once the tool has ended. */
  close(): void;
}

/** Before the lease ends in Redis, by this much, the worker regards it as over. */
const marginOf = (leaseMs: number): number => Math.min(1_000, Math.max(50, leaseMs / 10));

/** `sentAt` is when the claim was sent: the lease cannot have started earlier. */
export function holdLease(lease: Lease, leaseMs: number, sentAt: Instant): HeldLease {
  const usableMs = leaseMs - marginOf(leaseMs);
  const controller = new AbortController();
  let from = sentAt;
  let leaseTimer: NodeJS.Timeout;
  let closed = false;

  const leftMs = (): number => {
    const now = instant();
    return usableMs - Math.max(now.monotonic - from.monotonic, now.wall - from.wall);
  };
  const stop = (reason: StopReason): void => {
    if (!controller.signal.aborted) controller.abort(new Stopped(reason));
  };
  const watch = (): void => {
    leaseTimer = setTimeout(() => (leftMs() > 0 ? watch() : stop('lease_lost')), leftMs());
  };
  watch();
  const deadlineTimer = setTimeout(() => stop('timed_out'), Math.max(0, lease.remainingMs));

  return {
    lease,
    signal: controller.signal,
    assertHeld() {
      if (leftMs() <= 0) stop('lease_lost');
      controller.signal.throwIfAborted();
    },
    extend(renewedAt) {
      if (closed) return;
      from = renewedAt;
      clearTimeout(leaseTimer);
      watch();
    },
    stop,
    close() {
      closed = true;
      clearTimeout(leaseTimer);
      clearTimeout(deadlineTimer);
    },
  };
}
