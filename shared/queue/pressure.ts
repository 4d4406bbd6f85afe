/** Whether Redis has room for new work. Under noeviction a full Redis could not even be drained. */
import type { Redis } from 'ioredis';
import { Fault } from '../faults.ts';
import { mastersOf } from './redis.ts';
import type { Log } from '../telemetry/log.ts';

/** New work is refused above this share of `maxmemory`; the rest is for finishing what is there. */
const highWater = 0.75;
const lookEveryMs = 1_000;

export interface Pressure {
  /** The reason not to take new work, if there is one. */
  refusal(): Fault | undefined;
  close(): void;
}

export function watchPressure(redis: Redis, log: Log): Pressure {
  let share = 0;

  const look = async (): Promise<void> => {
    const servers = await Promise.all(mastersOf(redis).map((server) => readShare(server, log)));
    // The fullest decides: a tenant's calls cannot go to another.
    share = Math.max(...servers);
  };
  const timer = setInterval(() => {
    if (redis.status !== 'ready') return;
    look().catch((error: unknown) => log.debug({ err: error }, 'Redis did not tell its memory'));
  }, lookEveryMs);

  return {
    refusal: () =>
      share > highWater
        ? new Fault('overloaded', 'Redis is nearly full', { retryAfterMs: 2_000 })
        : undefined,
    close: () => clearInterval(timer),
  };
}

/** Of its `maxmemory`: what this server has used; 0 without a limit. */
async function readShare(server: Redis, log: Log): Promise<number> {
  const info = await server.info('memory');
  const read = (field: string): number =>
    Number(new RegExp(`^${field}:(\\d+)`, 'm').exec(info)?.[1] ?? 0);
  const limit = read('maxmemory');
  if (limit === 0) return 0;
  const policy = /^maxmemory_policy:(\S+)/m.exec(info)?.[1];
  if (policy !== 'noeviction') {
    log.error({ policy }, 'Redis may evict queued calls: set maxmemory-policy noeviction');
  }
  return read('used_memory') / limit;
}
