/** What each Redis server says of itself, as far as an operator must know it. */
import type { Redis } from 'ioredis';
import { infoField } from '../queue/redis-info.ts';
import { mastersOf } from '../queue/redis.ts';
import type { RedisView } from './api.ts';

export function readRedisView(redis: Redis): Promise<readonly RedisView[]> {
  return Promise.all(
    mastersOf(redis).map(async (server) => {
      const [info, fsync] = await Promise.all([server.info(), readFsync(server)]);
      return toView(info, fsync);
    }),
  );
}

/** Managed servers may forbid it. */
async function readFsync(server: Redis): Promise<string> {
  const found: unknown = await server.config('GET', 'appendfsync').catch(() => []);
  return Array.isArray(found) ? String(found[1] ?? '') : '';
}

function toView(info: string, fsync: string): RedisView {
  const text = (field: string): string => infoField(info, field) ?? '';
  const number = (field: string): number => Number(text(field));
  const isAppending = text('aof_enabled') === '1';
  const isSaved = text('rdb_last_bgsave_status') !== 'err';
  return {
    version: text('valkey_version') || text('redis_version'),
    usedBytes: number('used_memory'),
    maxBytes: number('maxmemory'),
    policy: text('maxmemory_policy'),
    persistence: isAppending ? `append-only file, ${fsync || 'on'}` : 'no append-only file',
    persistenceOk: isAppending && isSaved && text('aof_last_write_status') !== 'err',
    replicas: number('connected_slaves'),
    clients: number('connected_clients'),
    commandsPerSecond: number('instantaneous_ops_per_sec'),
  };
}
