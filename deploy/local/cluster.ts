/**
 * A whole cluster on one machine, as separate processes: Redis, AWS, ingresses and workers. What
 * `mesh up` runs, and the tests.
 */
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { Redis } from 'ioredis';
import { createAdminAccounts } from '../../shared/admin/accounts.ts';
import { clusterSettings } from '../../shared/config/cluster.ts';
import { ingressSettings } from '../../shared/config/ingress.ts';
import { readConfig, type Config } from '../../shared/config/setting.ts';
import { workerSettings } from '../../shared/config/worker.ts';
import { indexPrefix, indexSuffixes } from '../../shared/queue/names.ts';
import { createAnnouncer } from '../../shared/tenants/announce-tenant.ts';
import { applyTenants } from '../../shared/tenants/apply-tenants.ts';
import { createTenantStore } from '../../shared/tenants/tenant-store.ts';
import type { DeclaredTenant } from '../../shared/tenants/tenants-file.ts';
import type { AwsAccess } from './aws-access.ts';
import {
  openLocalAws,
  openRealAws,
  openRedis,
  type AwsBackend,
  type Backend,
  type Environment,
  type RedisBackend,
} from './backends.ts';
import { buildConsole, ensureAdmin, type FirstAdmin } from './console.ts';
import { openDataFolder, type DataFolder } from './data-folder.ts';
import { ensureDemo, type Demo } from './demo.ts';
import { startFleet, type Fleet } from './fleet.ts';
import { assertFree } from './ports.ts';
import { provision } from './provision.ts';

export interface ClusterOptions {
  readonly dataDir: string;
  readonly ingresses?: number;
  readonly workers?: number;
  /** Of the first ingress; the next follow two apart, admin ports between. Absent: free ports. */
  readonly port?: number;
  readonly diagnostics?: boolean;
  /** Offers what the official MCP conformance suite looks for. */
  readonly conformance?: boolean;
  /** Besides the demo tenant. */
  readonly tenants?: readonly DeclaredTenant[];
  readonly aws?: 'local' | 'real';
  /** What the processes get besides what is set here. */
  readonly environment: Environment;
  /** Hears what is done next. */
  readonly onStep?: (text: string) => void;
  /** Hears of every ingress or worker that ends without having been asked to. */
  readonly onLoss?: (text: string) => void;
}

export interface Cluster extends Pick<Fleet, 'ingresses' | 'workers' | 'startWorker'> {
  readonly demo: Demo;
  readonly admin: FirstAdmin;
  readonly redis: string;
  readonly aws: AwsAccess;
  readonly folder: Omit<DataFolder, 'release'>;
  /** Resolves with a reason once something is gone without which no call is answered. */
  readonly broken: Promise<string>;
  /** Drains and stops everything, in order. */
  close(): Promise<void>;
}

/** What a process may need to stop beyond the time in which it drains. */
const stopGraceMs = 5_000;

/** @throws {SetupError} for what the caller can put right. A start that fails leaves nothing behind. */
export async function startCluster(options: ClusterOptions): Promise<Cluster> {
  const { ingresses = 1, workers = 1, port, environment } = options;
  const { onStep = () => undefined, onLoss = () => undefined } = options;
  const settings = readConfig(clusterSettings, environment);
  await using undo = new AsyncDisposableStack();
  const folder = await openDataFolder(options.dataDir);
  undo.defer(() => folder.release());
  if (port !== undefined) await assertFree(range(port, 2 * ingresses));
  const [redis, aws] = await openBackends(folder, { ...options, onStep }, undo);

  // Nobody waits for it: the page is there when it is there.
  const building = new AbortController();
  undo.defer(async () => building.abort());
  void buildConsole(building.signal).catch((error: unknown) => {
    if (!building.signal.aborted) onLoss(String(error));
  });
  onStep('Creating tables, bucket and event bus');
  await provision(aws.access, settings);
  const { demo, admin } = await writeRecords(folder, options, { redis, aws, settings });

  onStep('Starting ingresses and workers');
  const fleet = await startFleet({
    ingresses,
    workers,
    port,
    environment: {
      ...environment,
      ...aws.environment,
      REDIS_URL: redis.url,
      ...(options.diagnostics ? { AGENT_MESH_DIAGNOSTICS: 'true' } : {}),
      ...(options.conformance ? { AGENT_MESH_CONFORMANCE: 'true' } : {}),
    },
    logDir: folder.logs,
    stopTimeoutMs: readDrainMs(environment) + stopGraceMs,
    onLoss,
  });
  undo.defer(async () => {
    // Nobody runs anything any more, so the next start need not wait for leases of this one.
    if ((await fleet.close()) && redis.ended) await forgetRun(redis.url, settings.shards);
  });

  const started = undo.move();
  return {
    ingresses: fleet.ingresses,
    workers: fleet.workers,
    startWorker: () => fleet.startWorker(),
    demo,
    admin,
    redis: redis.url,
    aws: aws.access,
    folder,
    broken: Promise.race([fleet.broken, lossOf('Redis', redis), lossOf('The local AWS', aws)]),
    close: () => started.disposeAsync(),
  };
}

function range(first: number, length: number): readonly number[] {
  return Array.from({ length }, (_, index) => first + index);
}

async function openBackends(
  folder: DataFolder,
  options: ClusterOptions & { readonly onStep: (text: string) => void },
  undo: AsyncDisposableStack,
): Promise<readonly [RedisBackend, AwsBackend]> {
  const { region } = readConfig(clusterSettings, options.environment);
  const keep = async <Opened extends Backend>(opening: Promise<Opened>): Promise<Opened> => {
    const backend = await opening;
    undo.defer(() => backend.close());
    return backend;
  };
  const [redis, aws] = await Promise.allSettled([
    keep(openRedis(folder, options)),
    options.aws === 'real' ? openRealAws(region) : keep(openLocalAws(folder, region, options)),
  ]);
  if (redis.status === 'rejected') throw redis.reason;
  if (aws.status === 'rejected') throw aws.reason;
  return [redis.value, aws.value];
}

async function writeRecords(
  folder: DataFolder,
  { tenants = [] }: ClusterOptions,
  ports: {
    readonly redis: RedisBackend;
    readonly aws: AwsBackend;
    readonly settings: Config<typeof clusterSettings>;
  },
): Promise<Pick<Cluster, 'demo' | 'admin'>> {
  const { redis, aws, settings } = ports;
  const dynamo = new DynamoDBClient(aws.access);
  const connection = new Redis(redis.url, { maxRetriesPerRequest: 1 });
  try {
    const applyPorts = {
      store: createTenantStore({ dynamo, table: settings.tenantsTable }),
      announce: createAnnouncer(connection),
      shards: settings.shards,
    };
    await applyTenants(tenants, applyPorts);
    const accounts = createAdminAccounts({ dynamo, table: settings.tenantsTable });
    return {
      demo: await ensureDemo(folder, applyPorts),
      admin: await ensureAdmin(folder, accounts),
    };
  } finally {
    connection.disconnect();
    dynamo.destroy();
  }
}

/** Best effort: where Redis is what broke down, the next start waits for leases. */
async function forgetRun(url: string, shards: number): Promise<void> {
  const connection = new Redis(url, { maxRetriesPerRequest: 0, retryStrategy: () => null });
  connection.on('error', () => undefined);
  try {
    for (let shard = 0; shard < shards; shard += 1) {
      await connection.del(indexPrefix(shard) + indexSuffixes.run);
    }
  } catch {
    // It is away.
  } finally {
    connection.disconnect();
  }
}

function readDrainMs(environment: Environment): number {
  const worker = readConfig(workerSettings, environment);
  const ingress = readConfig(ingressSettings, environment);
  return Math.max(worker.drainMs, ingress.drainMs);
}

async function lossOf(name: string, { ended }: Backend): Promise<string> {
  return ended ? `${name} is gone: ${await ended}` : new Promise<string>(() => undefined);
}
