/**
 * A cluster whose every part a test can break: ingresses and workers as processes, Redis with an
 * append-only file, the local AWS, and bad networks in between.
 */
import { once } from 'node:events';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import type { Redis } from 'ioredis';
import { z } from 'zod';
import type { AwsAccess } from '../../deploy/local/aws-access.ts';
import { openLocalAws } from '../../deploy/local/backends.ts';
import { startChild, type Child } from '../../deploy/local/child.ts';
import { openDataFolder } from '../../deploy/local/data-folder.ts';
import { provision } from '../../deploy/local/provision.ts';
import { clusterSettings } from '../../shared/config/cluster.ts';
import { readConfig } from '../../shared/config/setting.ts';
import { connectRedis } from '../../shared/queue/redis.ts';
import { createAnnouncer } from '../../shared/tenants/announce-tenant.ts';
import { applyTenants } from '../../shared/tenants/apply-tenants.ts';
import { createTenantStore } from '../../shared/tenants/tenant-store.ts';
import { parseTenantsFile } from '../../shared/tenants/tenants-file.ts';
import { silent } from '../queue/redis.ts';
import { createKey } from '../support/keys.ts';
import { makeTempDir } from '../support/temp-dir.ts';
import { startAwsProxy, type AwsProxy } from './aws-proxy.ts';
import { routeEvents, type CountEvents } from './count-events.ts';
import type { FaultRedis } from './fault-redis.ts';
import { inspectable } from './inspector.ts';
import { startTcpProxy, type TcpProxy } from './tcp-proxy.ts';

export const leaseMs = 2_000;
export const callTimeoutMs = 10_000;
const stopTimeoutMs = 12_000;

const IngressReady = z.object({ mcp: z.string(), admin: z.string() });
const WorkerReady = z.object({ admin: z.string() });
export type IngressProcess = Child<z.output<typeof IngressReady>>;
export type WorkerProcess = Child<z.output<typeof WorkerReady>>;

export interface FaultFleet extends AsyncDisposable {
  readonly redis: FaultRedis;
  readonly aws: AwsProxy;
  /** Between one worker and Redis. Nobody is behind it if Redis is a cluster, whose nodes are found by their own addresses. */
  readonly network: TcpProxy;
  readonly networked: WorkerProcess | undefined;
  readonly logDir: string;
  readonly ingresses: IngressProcess[];
  readonly workers: WorkerProcess[];
  /** API key of each tenant. */
  readonly keys: ReadonlyMap<string, string>;
  /** For the test's own questions; reconnects. */
  readonly ask: Redis;
  startIngress(): Promise<void>;
  startWorker(options?: { readonly behindNetwork?: boolean }): Promise<void>;
  readonly countEvents: CountEvents;
}

interface FaultTenant {
  readonly id: string;
  readonly cap: number;
}

/** The fleet takes `redis` over. */
export async function startFaultFleet(
  tenants: readonly FaultTenant[],
  redis: FaultRedis,
): Promise<FaultFleet> {
  await using undo = new AsyncDisposableStack();
  undo.use(redis);
  const temp = undo.use(await makeTempDir());
  const folder = await openDataFolder(temp.path);
  undo.defer(() => folder.release());
  const settings = readConfig(clusterSettings, {});
  const local = await openLocalAws(folder, settings.region, {
    environment: process.env,
    onStep: () => undefined,
  });
  undo.defer(() => local.close());
  await provision(local.access, settings);
  const aws = undo.use(await startAwsProxy(local.access.endpoint ?? ''));
  const network = undo.use(await startTcpProxy(Number(new URL(redis.url).port)));

  const ask = connectRedis(redis.url, 'commands', silent);
  undo.defer(() => ask.disconnect());
  await once(ask, 'ready');
  const keys = await createTenants(tenants, { aws: local.access, redis, ask });
  const countEvents = await routeEvents(local.access, settings.eventBus);

  const environment = {
    ...process.env,
    ...local.environment,
    ...inspectable,
    REDIS_URL: redis.url,
    QUEUE_SHARDS: String(redis.shards),
    AGENT_MESH_DIAGNOSTICS: 'true',
    LOG_LEVEL: 'warn',
    PORT: '0',
    ADMIN_PORT: '0',
    WORKER_LEASE_MS: String(leaseMs),
    WORKER_SLOTS: '24',
    WORKER_DRAIN_MS: '3000',
    INGRESS_DRAIN_MS: '11000',
    CALL_TIMEOUT_MS: String(callTimeoutMs),
  };
  const ingresses: IngressProcess[] = [];
  const workers: WorkerProcess[] = [];
  let started = 0;
  let networked: WorkerProcess | undefined;
  const join = async <P extends Child>(members: P[], starting: Promise<P>): Promise<P> => {
    const member = await starting;
    members.push(member);
    void forgetOnceEnded(members, member);
    return member;
  };
  const logDir = folder.logs;
  const start = <Ready extends z.ZodType>(
    service: 'ingress' | 'worker',
    ready: Ready,
    settings: Readonly<Record<string, string>> = {},
  ) => {
    const name = `${service}-${(started += 1)}`;
    const script = `services/${service}/main.ts`;
    return startChild({
      name,
      script,
      environment: { ...environment, ...settings },
      logDir,
      ready,
    });
  };
  const startIngress = async (): Promise<void> => {
    await join(ingresses, start('ingress', IngressReady));
  };
  const startWorker: FaultFleet['startWorker'] = async ({ behindNetwork = false } = {}) => {
    const badNetwork = { REDIS_URL: `redis://127.0.0.1:${network.port}` };
    const worker = await join(
      workers,
      start('worker', WorkerReady, {
        AWS_ENDPOINT_URL: aws.url,
        ...(behindNetwork ? badNetwork : {}),
      }),
    );
    if (behindNetwork) networked = worker;
  };
  undo.defer(async () => {
    await Promise.all([...ingresses, ...workers].map((each) => each.stop(stopTimeoutMs)));
  });
  await Promise.all([
    startIngress(),
    startIngress(),
    startWorker({ behindNetwork: redis.shards === 1 }),
    startWorker(),
    startWorker(),
  ]);
  const all = undo.move();
  return {
    redis,
    aws,
    network,
    get networked() {
      return networked;
    },
    logDir,
    ingresses,
    workers,
    keys,
    ask,
    startIngress,
    startWorker,
    countEvents,
    [Symbol.asyncDispose]: () => all.disposeAsync(),
  };
}

async function forgetOnceEnded<P extends Child>(members: P[], member: P): Promise<void> {
  await member.ended;
  if (members.includes(member)) members.splice(members.indexOf(member), 1);
}

async function createTenants(
  tenants: readonly FaultTenant[],
  { aws, redis, ask }: { readonly aws: AwsAccess } & Pick<FaultFleet, 'redis' | 'ask'>,
): Promise<ReadonlyMap<string, string>> {
  const dynamo = new DynamoDBClient(aws);
  const rates = 'requestsPerMinute: 1000000, userRequestsPerMinute: 1000000';
  const lines = tenants.map(
    ({ id, cap }) =>
      `  - { id: ${id}, limits: { concurrency: ${cap}, backlog: 200, ${rates} }, users: [{ id: ann }] }`,
  );
  await applyTenants(parseTenantsFile(['tenants:', ...lines].join('\n')), {
    store: createTenantStore({
      dynamo,
      table: readConfig(clusterSettings, {}).tenantsTable,
    }),
    announce: createAnnouncer(ask),
    shards: redis.shards,
  });
  dynamo.destroy();
  const reachable = { aws, redis: redis.nodes[0]?.url ?? '' };
  const keys = tenants.map(async ({ id }) => [id, await createKey(reachable, id, 'ann')] as const);
  return new Map(await Promise.all(keys));
}
