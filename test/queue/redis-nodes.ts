/** A Redis Cluster of three nodes without replicas, and as many shards as a test spreads over them. */
import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { startOwnRedis, type OwnRedis } from './own-redis.ts';

export const shards = 8;

const ranges = [
  [0, 5_460],
  [5_461, 10_922],
  [10_923, 16_383],
] as const;

export interface RedisCluster extends AsyncDisposable {
  /** Of one node, as a setting of the mesh names a cluster. */
  readonly url: string;
  readonly nodes: readonly OwnRedis[];
}

export async function startRedisCluster(...settings: readonly string[]): Promise<RedisCluster> {
  await using undo = new AsyncDisposableStack();
  const servers: OwnRedis[] = [];
  const nodes: Redis[] = [];
  let first: string | undefined;
  for (const [from, to] of ranges) {
    const server = undo.use(await startOwnRedis('--cluster-enabled', 'yes', ...settings));
    servers.push(server);
    first ??= server.url;
    const node = new Redis(server.url);
    await node.call('CLUSTER', 'ADDSLOTSRANGE', `${from}`, `${to}`);
    if (server.url !== first) {
      await node.call('CLUSTER', 'MEET', '127.0.0.1', new URL(first).port);
    }
    nodes.push(node);
  }
  const isReady = async (node: Redis): Promise<boolean> => {
    const info = await node.cluster('INFO');
    return info.includes('cluster_state:ok') && info.includes('cluster_known_nodes:3');
  };
  while (!(await Promise.all(nodes.map(isReady))).every(Boolean)) await sleep(50);
  // A test may take a server away, which would make them complain.
  for (const node of nodes) node.disconnect();
  const all = undo.move();
  return {
    url: `${first}?cluster=1`,
    nodes: servers,
    [Symbol.asyncDispose]: () => all.disposeAsync(),
  };
}
