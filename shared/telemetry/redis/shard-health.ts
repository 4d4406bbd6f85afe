/** How the Redis of one shard is, as this process sees it. */
import { performance } from 'node:perf_hooks';
import type { Redis } from 'ioredis';
import { bell } from '../../queue/names.ts';
import { readLuaScript } from '../../queue/lua-script.ts';
import { infoField } from '../../queue/redis-info.ts';

export interface ShardHealth {
  readonly latencySeconds: number;
  readonly usedBytes: number;
  /** Of `maxmemory`, 0 to 1; undefined without a limit. */
  readonly memoryRatio: number | undefined;
  /** Whether the policy is noeviction, under which no queued call is ever dropped. */
  readonly policyOk: boolean;
  /** Whether an append-only file is written, and was without an error. */
  readonly aofOk: boolean;
}

const script = readLuaScript(new URL('shard-health.lua', import.meta.url));

/** Rejects if Redis does not answer. */
export async function readShardHealth(redis: Redis, shard: number): Promise<ShardHealth> {
  const key = bell(shard);
  const sent = performance.now();
  await redis.exists(key);
  const latencySeconds = (performance.now() - sent) / 1_000;
  const info = String(await script.run(redis, [key], []));
  const read = (field: string): string => infoField(info, field) ?? '';
  const usedBytes = Number(read('used_memory'));
  const limit = Number(read('maxmemory'));
  return {
    latencySeconds,
    usedBytes,
    memoryRatio: limit > 0 ? usedBytes / limit : undefined,
    policyOk: read('maxmemory_policy') === 'noeviction',
    aofOk: read('aof_enabled') === '1' && read('aof_last_write_status') === 'ok',
  };
}
