/** What a fleet's Redis is: one server, or a cluster of three nodes with eight shards on them. */
import { startOwnRedis, type OwnRedis } from '../queue/own-redis.ts';
import { shards, startRedisCluster } from '../queue/redis-nodes.ts';

export interface FaultRedis extends AsyncDisposable {
  /** As a setting of the mesh names it. */
  readonly url: string;
  readonly shards: number;
  readonly nodes: readonly OwnRedis[];
}

/** As it is by default: a power failure may cut the last second off. */
const everySecond = ['--appendfsync', 'everysec'] as const;

export async function startOneRedis(): Promise<FaultRedis> {
  const server = await startOwnRedis(...everySecond);
  return {
    url: server.url,
    shards: 1,
    nodes: [server],
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

export async function startThreeNodes(): Promise<FaultRedis> {
  return { ...(await startRedisCluster(...everySecond)), shards };
}
