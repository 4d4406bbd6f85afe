/** How much work there is. Each ingress tells the same, so that it is read as their maximum, not their sum. */
import type { Redis } from 'ioredis';
import type { Metrics } from '../metrics.ts';
import { readCensus } from './census.ts';
import { watchShards } from './watch-shards.ts';

/** Returns a function that stops the counting. */
export function observeWork(metrics: Metrics, redis: Redis, shards: number): () => void {
  const { samples, close } = watchShards(shards, (shard) => readCensus(redis, shard));
  metrics.gauge('agent_mesh_calls_waiting', 'Calls in line', () =>
    samples(({ waiting }) => waiting),
  );
  metrics.gauge('agent_mesh_calls_running', 'Live leases', () => samples(({ running }) => running));
  metrics.gauge(
    'agent_mesh_admissible_backlog',
    'Calls in line that more slots could start now; what waits above its tenant’s cap is left out',
    () => samples(({ admissible }) => admissible),
  );
  metrics.gauge('agent_mesh_tenants_busy', 'Tenants with unfinished calls', () =>
    samples(({ tenants }) => tenants),
  );
  return close;
}
