/**
 * `npm start`: runs a local cluster until told to stop, and says how to use it once it has
 * answered a first real call.
 */
import { rm } from 'node:fs/promises';
import { untilAskedToStop } from '../../shared/shutdown.ts';
import { startCluster, type Cluster, type ClusterOptions } from './cluster.ts';
import type { FirstAdmin } from './console.ts';
import { writePrivate } from './data-folder.ts';
import { callTool, toCurl } from './first-call.ts';
import { SetupError } from './setup-error.ts';
import type { UpFile } from './up-file.ts';

export type UpOptions = Omit<ClusterOptions, 'onStep' | 'onLoss'>;

/** A step that takes longer is named. */
const silentMs = 2_000;
const greeting = { key: 'hello', value: 'Hello from agent-mesh' };

/** Resolves once everything has stopped. Rejects with one clear line if it cannot start or breaks down. */
export async function runUp(options: UpOptions, print: (line: string) => void): Promise<void> {
  const startedAt = performance.now();
  const askedToStop = untilAskedToStop();
  const steps = announceSlowSteps(print);
  try {
    const cluster = await startCluster({ ...options, onStep: steps.begin, onLoss: print });
    await serve(cluster, { askedToStop, print, startedAt, steps });
  } finally {
    steps.end();
  }
}

interface Serving {
  readonly askedToStop: Promise<string>;
  readonly print: (line: string) => void;
  readonly startedAt: number;
  readonly steps: SlowSteps;
}

async function serve(cluster: Cluster, serving: Serving): Promise<void> {
  const { askedToStop, print, startedAt, steps } = serving;
  const asked = askedToStop.then(() => undefined);
  let loss: string | undefined;
  try {
    steps.begin('Making a first call');
    const up = toUpFile(cluster);
    const first = await Promise.race([asked, cluster.broken, sayHello(up)]);
    if (typeof first === 'object') {
      print(describe(up, first.curl, performance.now() - startedAt, cluster.admin));
      await writePrivate(cluster.folder.upFile, `${JSON.stringify(up, undefined, 2)}\n`);
    }
    steps.end();
    loss = await Promise.race([asked, cluster.broken]);
  } finally {
    await rm(cluster.folder.upFile, { force: true });
    steps.begin('Finishing accepted calls');
    await cluster.close();
  }
  if (loss !== undefined) throw new SetupError(`${loss}.`);
  print('Stopped.');
}

async function sayHello(up: UpFile): Promise<{ readonly curl: string }> {
  const call = { mcp: up.mcp, apiKey: up.apiKey };
  await callTool({ ...call, tool: 'kv_set', arguments: greeting });
  const read = { ...call, tool: 'kv_get', arguments: { key: greeting.key } };
  const { value } = await callTool(read);
  if (value !== greeting.value) throw new Error('The first call was answered wrongly');
  return { curl: toCurl(read) };
}

function toUpFile({ ingresses, workers, demo, redis, aws }: Cluster): UpFile {
  const listed = ingresses.map(({ ready, pid }) => ({ ...ready, pid }));
  const [first] = listed;
  if (!first) throw new SetupError('No ingress is left.');
  return {
    mcp: first.mcp,
    admin: first.admin,
    ...demo,
    redis,
    ...(aws.endpoint === undefined ? {} : { aws: aws.endpoint }),
    ingresses: listed,
    workers: workers.map(({ ready, pid }) => ({ ...ready, pid })),
  };
}

function describe(up: UpFile, curl: string, tookMs: number, admin: FirstAdmin): string {
  return [
    '',
    `  Endpoint  ${up.mcp}`,
    `  API key   ${up.apiKey}`,
    `  Tenant    ${up.tenant}, user ${up.user}`,
    `  Console   ${up.admin}`,
    `            ${admin.isNew ? `sign in with ${admin.token}` : 'its token is in admin-token in the data folder'}`,
    '',
    curl,
    '',
    `Ready in ${(tookMs / 1_000).toFixed(1)} s. Ctrl-C stops.`,
  ].join('\n');
}

interface SlowSteps {
  readonly begin: (text: string) => void;
  readonly end: () => void;
}

function announceSlowSteps(print: (line: string) => void): SlowSteps {
  let timer: NodeJS.Timeout | undefined;
  const end = (): void => clearTimeout(timer);
  const begin = (text: string): void => {
    end();
    timer = setTimeout(() => print(`${text} …`), silentMs);
  };
  return { begin, end };
}
