/** How the Redis of each shard is, as this process sees it. */
import type { Redis } from 'ioredis';
import type { Metrics } from '../metrics.ts';
import { readShardHealth } from './shard-health.ts';
import { watchShards } from './watch-shards.ts';

/** Returns a function that stops the looking. */
export function observeRedis(metrics: Metrics, redis: Redis, shards: number): () => void {
  const { known, samples, close } = watchShards(shards, (shard) => readShardHealth(redis, shard));
  metrics.gauge('agent_mesh_redis_up', 'Whether the Redis of a shard answers this process', () =>
    known.map((health, shard) => [health ? 1 : 0, { shard: String(shard) }]),
  );
  metrics.gauge('agent_mesh_redis_latency_seconds', 'Time for one command', () =>
    samples(({ latencySeconds }) => latencySeconds),
  );
  metrics.gauge('agent_mesh_redis_memory_used_bytes', 'Memory in use', () =>
    samples(({ usedBytes }) => usedBytes),
  );
  metrics.gauge(
    'agent_mesh_redis_memory_ratio',
    'Share of maxmemory in use; above 0.75 new calls are refused',
    () => samples(({ memoryRatio }) => memoryRatio),
  );
  metrics.gauge('agent_mesh_redis_policy_ok', 'Whether maxmemory-policy is noeviction', () =>
    samples(({ policyOk }) => policyOk),
  );
  metrics.gauge(
    'agent_mesh_redis_aof_ok',
    'Whether the append-only file is on and was last written without an error',
    () => samples(({ aofOk }) => aofOk),
  );
  return close;
}
