/**
 * What a Redis must be to carry the queue: one that never throws queued calls away. INFO tells it all,
 * which managed services allow where they forbid CONFIG.
 */
import type { Redis } from 'ioredis';
import { infoField } from './redis-info.ts';
import { mastersOf, UnfitRedis } from './redis.ts';

/** Of one server; what it does not tell is undefined. */
export interface RedisFacts {
  readonly version: string | undefined;
  readonly evictionPolicy: string | undefined;
  readonly appendsToFile: boolean | undefined;
  /** Used, of `maxmemory`; 0 without a limit. */
  readonly memoryShare: number;
}

const oldestMajor = 7;

/** Of every server that holds data. */
export function readFacts(redis: Redis): Promise<readonly RedisFacts[]> {
  return Promise.all(mastersOf(redis).map(async (server) => parseInfo(await server.info())));
}

export function parseInfo(info: string): RedisFacts {
  const read = (field: string): string | undefined => infoField(info, field);
  const limit = Number(read('maxmemory') ?? 0);
  const appends = read('aof_enabled');
  return {
    version: read('redis_version'),
    evictionPolicy: read('maxmemory_policy'),
    appendsToFile: appends === undefined ? undefined : appends === '1',
    memoryShare: limit === 0 ? 0 : Number(read('used_memory')) / limit,
  };
}

/** Why such a server must not carry the queue, and what to do about it; undefined if it may. */
export function findUnfitness({ version, evictionPolicy }: RedisFacts): string | undefined {
  if (Number.parseInt(version ?? '', 10) < oldestMajor) {
    return `Redis ${version} is too old: agent-mesh needs Redis ${oldestMajor} or newer, or Valkey.`;
  }
  if (evictionPolicy !== undefined && evictionPolicy !== 'noeviction') {
    return `Redis may evict queued calls (maxmemory-policy ${evictionPolicy}): run CONFIG SET maxmemory-policy noeviction, or set it where your Redis is configured.`;
  }
  return undefined;
}

/**
 * To be called on every new connection.
 * @param advise hears of what may be as it is, but should not
 * @throws {UnfitRedis}
 */
export async function assertFit(redis: Redis, advise: (text: string) => void): Promise<void> {
  const servers = await readFacts(redis);
  const problem = servers.map(findUnfitness).find((text) => text !== undefined);
  if (problem !== undefined) throw new UnfitRedis(problem);
  if (servers.some(({ appendsToFile }) => appendsToFile === false)) {
    advise('Redis keeps no append-only file, so that its restart loses calls: set appendonly yes');
  }
}
