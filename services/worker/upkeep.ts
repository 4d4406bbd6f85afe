/** What a worker does besides running calls: renews its leases, recovers what others lost, hears cancels. */
import type { Redis } from 'ioredis';
import type { InvocationQueue } from '../../shared/queue/invocation-queue.ts';
import { workerChannel } from '../../shared/queue/names.ts';
import type { Gate } from '../../shared/queue/redis.ts';
import type { Log } from '../../shared/telemetry/log.ts';
import { instant, type HeldLease } from './held-lease.ts';

export interface UpkeepPorts {
  readonly queue: InvocationQueue;
  readonly gate: Gate;
  readonly running: ReadonlyMap<string, HeldLease>;
  readonly log: Log;
}

/** Below the second within which a dead worker's calls must be running again after their lease. */
const sweepEveryMs = 500;

/** Renews at a third of the lease. Returns a function that stops it. */
export function renewLeases(leaseMs: number, ports: UpkeepPorts): () => void {
  const { queue, gate, running, log } = ports;

  const renewShard = async (shard: number, held: readonly HeldLease[]): Promise<void> => {
    const sentAt = instant();
    const answers = await queue.renew(
      shard,
      held.map(({ lease }) => lease),
    );
    for (const [i, each] of held.entries()) {
      if (answers[i] === 'lost') each.stop('lease_lost');
      else each.extend(sentAt);
      if (answers[i] === 'cancelled') each.stop('cancelled');
    }
  };

  return every(
    leaseMs / 3,
    async () => {
      if (running.size === 0 || !gate.isOpen) return;
      const byShard = Map.groupBy(running.values(), ({ lease }) => lease.shard);
      for (const [shard, held] of byShard) await renewShard(shard, held);
    },
    log,
  );
}

/**
 * Says again and again that this worker lives, and how many slots it has. Returns a function that
 * stops it and says that the worker leaves.
 */
export function announceWorker(
  options: { readonly slots: number; readonly leaseMs: number },
  { queue, gate, log }: Pick<UpkeepPorts, 'queue' | 'gate' | 'log'>,
): () => Promise<void> {
  const { slots, leaseMs } = options;
  const stop = every(
    leaseMs / 3,
    async () => {
      if (gate.isOpen) await queue.announce(slots, leaseMs);
    },
    log,
  );
  return async () => {
    stop();
    if (gate.isOpen) await queue.announce(slots, 0);
  };
}

/** Returns a function that stops it. */
export function sweepShards(shards: number, ports: UpkeepPorts): () => void {
  const { queue, gate, log } = ports;
  return every(
    sweepEveryMs,
    async () => {
      if (!gate.isOpen) return;
      for (let shard = 0; shard < shards; shard += 1) {
        const { recovered, expired } = await queue.sweep(shard);
        if (recovered.length > 0)
          log.warn({ shard, recovered }, 'Leases ran out; calls are back in line');
        if (expired.length > 0)
          log.info({ shard, expired }, 'Calls ended at their deadline, still waiting');
      }
    },
    log,
  );
}

/** A cancel that is missed here is found by the next renewal. */
export async function hearCancels(
  name: string,
  subscriptions: Redis,
  running: ReadonlyMap<string, HeldLease>,
): Promise<void> {
  const channel = workerChannel(name);
  subscriptions.on('message', (from: string, text: string) => {
    if (from !== channel) return;
    for (const held of running.values()) {
      if (`${held.lease.tenant}/${held.lease.id}` === text) held.stop('cancelled');
    }
  });
  await subscriptions.subscribe(channel);
}

/** Runs `work` again and again, never twice at once, with a little jitter so that workers spread out. */
function every(ms: number, work: () => Promise<void>, log: Log): () => void {
  let stopped = false;
  let timer: NodeJS.Timeout;
  const next = (): void => {
    if (!stopped) timer = setTimeout(() => void turn(), ms * (0.9 + Math.random() * 0.1));
  };
  const turn = async (): Promise<void> => {
    try {
      await work();
    } catch (error) {
      log.warn({ err: error }, 'Upkeep failed, trying again');
    }
    next();
  };
  next();
  return () => {
    stopped = true;
    clearTimeout(timer);
  };
}
