/**
 * A claim that waits in Redis. It is sent right behind a BLPOP, on a connection of its own: in the
 * moment in which the bell ends the BLPOP, Redis goes on with the claim. So an idle worker starts a call
 * without having been asked first, and its answer is the call itself.
 */
import type { Redis } from 'ioredis';
import type { Claimed, InvocationQueue } from './invocation-queue.ts';
import { bell, ownBell } from './names.ts';
import { createGate } from './redis.ts';
import type { Log } from '../telemetry/log.ts';

export interface Bell {
  /** Resolves once it can be waited at, at once if it can. Rejects with `signal.reason` if aborted first. */
  opened(signal: AbortSignal): Promise<void>;
  /** Claims up to `n` calls when the bell rings, or after `waitMs` anyway. */
  claim(n: number): Promise<Claimed>;
  /** Ends a wait that is under way. */
  wake(): Promise<void>;
}

export interface BellPorts {
  readonly shard: number;
  /** The worker's name. */
  readonly name: string;
  readonly waiting: Redis;
  readonly queue: Pick<InvocationQueue, 'claim' | 'hold'>;
  readonly commands: Redis;
  /** Well below the lease, which may have run for so long when its worker hears of it. */
  readonly waitMs: number;
  readonly log: Log;
}

/** One that nobody has heard is gone by then. */
const ownBellTtlMs = 10_000;

export function createBell(ports: BellPorts): Bell {
  const { shard, waiting, queue, commands, waitMs } = ports;
  const own = ownBell(shard, ports.name);
  // A Redis that was restarted is recognised here too: this connection may be back before the others.
  const gate = createGate(waiting, () => queue.hold(shard, waiting), ports.log);

  return {
    opened: (signal) => gate.opened(signal),
    async claim(n) {
      const rung = waiting.blpop(own, bell(shard), waitMs / 1_000);
      const [claimed] = await Promise.all([queue.claim(shard, n, waiting), rung]);
      return claimed;
    },
    async wake() {
      await commands.multi().rpush(own, 1).pexpire(own, ownBellTtlMs).exec();
    },
  };
}
