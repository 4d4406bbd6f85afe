/** A whole cluster of ours: private Redis with an append-only file, local AWS, ingress, workers. */
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { readChildren, type Watched } from '../measure/processes.ts';
import { startTestCluster, type TestCluster } from '../../support/cluster.ts';
import { eras, type CallShape } from '../load/load.ts';
import type { Target } from './target.ts';
import { writeTenants } from './write-tenants.ts';

/** An ingress or a worker. */
export interface MeshNode extends Watched {
  readonly logFile: string;
}

export interface MeshTarget extends Target, AsyncDisposable {
  readonly cluster: TestCluster;
  readonly nodes: readonly MeshNode[];
  /** One for each tenant. */
  readonly tokens: readonly string[];
}

export interface MeshOptions {
  readonly tenants?: number;
  /** Settings of all processes. */
  readonly environment?: Readonly<Record<string, string>>;
}

const echo: CallShape = {
  tool: 'diagnostics_echo',
  arguments: '{"text":"$id"}',
  text: '{"text":"$id"}',
};

export async function startMesh({
  tenants = 1,
  environment,
}: MeshOptions = {}): Promise<MeshTarget> {
  const before = await readChildren(process.pid);
  const cluster = await startTestCluster({
    diagnostics: true,
    // The inspector listens nowhere until a process is asked to open it.
    environment: { NODE_OPTIONS: '--inspect-port=127.0.0.1:0', ...environment },
  });
  const tokens = await writeTenants(cluster, tenants);
  const nodes = nodesOf(cluster);
  const close = async (): Promise<void> => cluster[Symbol.asyncDispose]();
  return {
    name: 'mesh',
    url: cluster.mcp,
    echo,
    eras,
    processes: await processesOf(cluster, nodes, before),
    access: { tokens },
    cluster,
    nodes,
    tokens,
    close,
    [Symbol.asyncDispose]: close,
  };
}

function nodesOf({ ingresses, workers, folder }: TestCluster): readonly MeshNode[] {
  return [...ingresses, ...workers].map(({ name, pid }) => ({
    name: name.replace(/-0$/, ''),
    pid,
    logFile: join(folder.logs, `${name}.log`),
  }));
}

async function processesOf(
  cluster: TestCluster,
  nodes: readonly MeshNode[],
  before: readonly number[],
): Promise<readonly Watched[]> {
  const named = [
    ...nodes.map(({ name, pid }) => ({ name, pid })),
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
