/** A whole cluster of ours: private Redis with an append-only file, local AWS, ingress, workers. */
import { Redis } from 'ioredis';
import { readChildren, type Watched } from '../measure/processes.ts';
import { startTestCluster, type TestCluster } from '../../support/cluster.ts';
import { eras, type CallShape } from '../load/load.ts';
import type { Target } from './target.ts';
import { writeTenants } from './write-tenants.ts';

export interface MeshTarget extends Target {
  readonly cluster: TestCluster;
  /** One for each tenant. */
  readonly tokens: readonly string[];
}

export interface MeshOptions {
  readonly tenants?: number;
  readonly workers?: number;
}

const echo: CallShape = {
  tool: 'diagnostics_echo',
  arguments: '{"text":"$id"}',
  text: '{"text":"$id"}',
};

export async function startMesh({
  tenants = 1,
  workers = 1,
}: MeshOptions = {}): Promise<MeshTarget> {
  const before = await readChildren(process.pid);
  const cluster = await startTestCluster({
    workers,
    diagnostics: true,
    // The inspector listens nowhere until a process is asked to open it.
    environment: { NODE_OPTIONS: '--inspect-port=127.0.0.1:0' },
  });
  const tokens = await writeTenants(cluster, tenants);
  return {
    name: 'mesh',
    url: cluster.mcp,
    echo,
    eras,
    processes: await processesOf(cluster, before),
    access: { tokens },
    cluster,
    tokens,
    close: async () => cluster[Symbol.asyncDispose](),
  };
}

async function processesOf(
  cluster: TestCluster,
  before: readonly number[],
): Promise<readonly Watched[]> {
  const named = [
    ...cluster.ingresses.map(({ name, pid }) => ({ name: name.replace(/-0$/, ''), pid })),
    ...cluster.workers.map(({ name, pid }) => ({ name: name.replace(/-0$/, ''), pid })),
    { name: 'redis', pid: await redisPid(cluster.redis) },
  ];
  const known = new Set([...before, ...named.map(({ pid }) => pid)]);
  const aws = (await readChildren(process.pid)).find((pid) => !known.has(pid));
  return aws === undefined ? named : [...named, { name: 'aws', pid: aws }];
}

async function redisPid(url: string): Promise<number> {
  const redis = new Redis(url);
  const info = await redis.info('server');
  redis.disconnect();
  return Number(/process_id:(\d+)/.exec(info)?.[1]);
}
