/**
 * N slots shared by all shards. Each claims, runs, settles, and goes on with the call that the
 * settlement brought, until told to drain.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Lease } from '../../shared/queue/lease.ts';
import type { InvocationQueue } from '../../shared/queue/invocation-queue.ts';
import type { Bell } from '../../shared/queue/bell.ts';
import type { Gate } from '../../shared/queue/redis.ts';
import type { Log } from '../../shared/telemetry/log.ts';
import { holdLease, instant, type HeldLease } from './held-lease.ts';
import type { Settlement } from './run-invocation.ts';
import { createSlotPool } from './slot-pool.ts';

export interface SlotPorts {
  readonly queue: InvocationQueue;
  readonly gate: Gate;
  /** One for each shard. */
  readonly bells: readonly Bell[];
  run(held: HeldLease): Promise<Settlement>;
  readonly log: Log;
}

export interface Slots {
  /** What runs now, by token. */
  readonly running: ReadonlyMap<string, HeldLease>;
  /** Claims nothing more and resolves once all is settled or handed back, at the latest soon after `ms`. */
  drain(ms: number): Promise<void>;
}

/** One claim brings at most this many calls, so that no worker takes a whole burst from the others. */
const largestClaim = 32;
/**
 * A claim at the bell brings at most this many: if the worker is stopped meanwhile, they wait for the end
 * of the lease. And it leaves slots to the other shards.
 */
const largestClaimAtBell = 4;
/** Between attempts after Redis failed a command. */
const pauseMs = 100;
/** After a claim that brought what this build cannot read: a newer worker is to take it meanwhile. */
const stepBackMs = 500;
/** During a hold, so that a drain need not wait for its end. */
const longestPauseMs = 500;

export function startSlots(
  options: { readonly slots: number; readonly shards: number; readonly leaseMs: number },
  ports: SlotPorts,
): Slots {
  const { leaseMs } = options;
  const { queue, gate, bells, log } = ports;
  const atBell = Math.min(largestClaimAtBell, Math.floor(options.slots / bells.length / 2));
  const running = new Map<string, HeldLease>();
  const stopping = new AbortController();
  const pool = createSlotPool(options.slots);

  /** Sends the settlement until Redis answers; its token makes a resend harmless. */
  const settle = async (
    lease: Lease,
    { reply, obituary }: Settlement,
  ): Promise<readonly Lease[]> => {
    for (;;) {
      try {
        if (!reply) {
          await queue.release(lease);
          return [];
        }
        // A node of a cluster that came back may not have been held yet.
        const next = stopping.signal.aborted || !gate.isOpen ? 0 : 1;
        const { settled, leases } = await queue.settle(lease, reply, next, obituary);
        if (!settled)
          log.warn({ id: lease.id, tenant: lease.tenant }, 'Lease lost before settling');
        return leases;
      } catch (error) {
        log.warn({ err: error, id: lease.id }, 'Settlement failed, sending it again');
        await sleep(pauseMs);
        await gate.opened();
      }
    }
  };

  const runSlot = async (first: HeldLease): Promise<void> => {
    for (let held: HeldLease | undefined = first; held;) {
      const { lease }: HeldLease = held;
      running.set(lease.token, held);
      const settlement = await ports.run(held);
      const sentAt = instant();
      const [next] = await settle(lease, settlement);
      running.delete(lease.token);
      held = next && holdLease(next, leaseMs, sentAt);
    }
    pool.giveBack(1);
  };

  /** Claims once. Resolves with what is next: the bell, or another claim after so many ms. */
  const claim = async (shard: number, bell: Bell | undefined): Promise<'bell' | number> => {
    await bell?.opened(stopping.signal);
    const reserved = bell ? pool.reserveNow(atBell) : await pool.reserve(largestClaim);
    let used = 0;
    try {
      if (stopping.signal.aborted) return 0;
      const sentAt = instant();
      const claimed = await (bell ? bell.claim(reserved) : queue.claim(shard, reserved));
      const { leases, heldMs } = claimed;
      used = leases.length;
      for (const lease of leases) void runSlot(holdLease(lease, leaseMs, sentAt));
      if (leases.some(({ foreign }) => foreign)) return stepBackMs;
      if (heldMs > 0) return Math.min(heldMs, longestPauseMs);
      // Fewer than asked for: nothing more can start, and the bell rings when something can.
      return used < reserved ? 'bell' : 0;
    } finally {
      pool.giveBack(reserved - used);
    }
  };

  const claimLoop = async (shard: number): Promise<void> => {
    let next: 'bell' | number = 0;
    while (!stopping.signal.aborted) {
      await gate.opened(stopping.signal);
      next = await claim(shard, next === 'bell' ? bells[shard] : undefined);
      if (next !== 'bell' && next > 0) await sleep(next);
    }
  };

  const claimForEver = async (shard: number): Promise<void> => {
    while (!stopping.signal.aborted) {
      try {
        await claimLoop(shard);
      } catch (error) {
        if (stopping.signal.aborted) return;
        log.warn({ err: error, shard }, 'Claiming failed, trying again');
        await sleep(pauseMs);
      }
    }
  };
  for (let shard = 0; shard < options.shards; shard += 1) void claimForEver(shard);

  return {
    running,
    async drain(ms) {
      stopping.abort(new Error('draining'));
      // Without Redis they end by themselves.
      for (const bell of bells) void bell.wake().catch(() => undefined);
      const hurry = setTimeout(() => {
        for (const held of running.values()) held.stop('draining');
      }, ms);
      await pool.allFree();
      clearTimeout(hurry);
    },
  };
}
