/** Whether Redis may be given new work. Under noeviction a full Redis could not even be drained. */
import type { Redis } from 'ioredis';
import { Fault } from '../faults.ts';
import type { Log } from '../telemetry/log.ts';
import { findUnfitness, readFacts } from './redis-fitness.ts';

/** New work is refused above this share of `maxmemory`; the rest is for finishing what is there. */
export const highWater = 0.75;
const lookEveryMs = 1_000;

export interface Pressure {
  /** What an operator has to put right before there may be new work. */
  readonly problem: string | undefined;
  /** The reason not to take new work, if there is one. */
  refusal(): Fault | undefined;
  close(): void;
}

export function watchPressure(redis: Redis, log: Log): Pressure {
  let share = 0;
  let problem: string | undefined;

  const look = async (): Promise<void> => {
    const servers = await readFacts(redis);
    // The fullest decides: a tenant's calls cannot go to another.
    share = Math.max(...servers.map(({ memoryShare }) => memoryShare));
    const found = servers.map(findUnfitness).find((text) => text !== undefined);
    if (found !== problem) log.error({ problem: found ?? 'none any more' }, 'Redis was set anew');
    problem = found;
  };
  const timer = setInterval(() => {
    if (redis.status !== 'ready') return;
    look().catch((error: unknown) => log.debug({ err: error }, 'Redis did not tell its memory'));
  }, lookEveryMs);

  return {
    get problem() {
      return problem;
    },
    refusal() {
      if (problem !== undefined) return overloaded('Redis is not set up to keep calls safe');
      return share > highWater ? overloaded('Redis is nearly full') : undefined;
    },
    close: () => clearInterval(timer),
  };
}

function overloaded(message: string): Fault {
  return new Fault('overloaded', message, { retryAfterMs: 2_000 });
}
