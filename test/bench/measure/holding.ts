/** What a cluster holds in memory: Redis, and the heap of each of its Node processes. */
import { Redis } from 'ioredis';
import type { MeshTarget } from '../targets/mesh.ts';
import { openInspector, readHeapBytes } from './inspector.ts';

/** Bytes, by process. */
export type Holding = Readonly<Record<string, number>>;

export async function readHolding(mesh: MeshTarget): Promise<Holding> {
  const heaps = await readHeaps(mesh);
  const redis = new Redis(mesh.cluster.redis);
  const memory = await redis.info('memory');
  redis.disconnect();
  return { redis: Number(/used_memory:(\d+)/.exec(memory)?.[1]), ...heaps };
}

/** After a garbage collection. */
export async function readHeaps({ nodes }: Pick<MeshTarget, 'nodes'>): Promise<Holding> {
  const heaps: [string, number][] = [];
  for (const { name, pid, logFile } of nodes) {
    using inspector = await openInspector(pid, logFile);
    heaps.push([name, await readHeapBytes(inspector)]);
  }
  return Object.fromEntries(heaps);
}
