/**
 * A cluster whose every part a test can break: ingresses and workers as processes, Redis with an
 * append-only file, the local AWS, and bad networks in between.
 */
import * as E from '@aws-sdk/client-eventbridge';
import * as Q from '@aws-sdk/client-sqs';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { Redis } from 'ioredis';
import { z } from 'zod';
import { openLocalAws } from '../../deploy/local/backends.ts';
import { startChild, type Child } from '../../deploy/local/child.ts';
import { openDataFolder } from '../../deploy/local/data-folder.ts';
import { provision } from '../../deploy/local/provision.ts';
import { clusterSettings } from '../../shared/config/cluster.ts';
import { readConfig } from '../../shared/config/setting.ts';
import { createAnnouncer } from '../../shared/tenants/announce-tenant.ts';
import { applyTenants } from '../../shared/tenants/apply-tenants.ts';
import { createTenantStore } from '../../shared/tenants/tenant-store.ts';
import { parseTenantsFile } from '../../shared/tenants/tenants-file.ts';
import { startOwnRedis, type OwnRedis } from '../queue/own-redis.ts';
import { createKey } from '../support/keys.ts';
import { makeTempDir } from '../support/temp-dir.ts';
import { startAwsProxy, type AwsProxy } from './aws-proxy.ts';
import { startTcpProxy, type TcpProxy } from './tcp-proxy.ts';

export const leaseMs = 2_000;
export const callTimeoutMs = 10_000;
const stopTimeoutMs = 12_000;

const IngressReady = z.object({ mcp: z.string(), admin: z.string() });
const WorkerReady = z.object({ admin: z.string() });
export type IngressProcess = Child<z.output<typeof IngressReady>>;
export type WorkerProcess = Child<z.output<typeof WorkerReady>>;

export interface FaultFleet extends AsyncDisposable {
  readonly redis: OwnRedis;
  readonly aws: AwsProxy;
  /** Between the first worker and Redis. */
  readonly network: TcpProxy;
  readonly ingresses: IngressProcess[];
  readonly workers: WorkerProcess[];
  /** API key of each tenant. */
  readonly keys: ReadonlyMap<string, string>;
  /** For the test's own questions; reconnects. */
  readonly ask: Redis;
  startIngress(): Promise<void>;
  startWorker(options?: { readonly behindNetwork?: boolean }): Promise<void>;
  /** How often each event arrived so far, by the number that its sender gave it. */
  countEvents(): Promise<ReadonlyMap<string, number>>;
}

export async function startFaultFleet(
  tenants: readonly { readonly id: string; readonly cap: number }[],
): Promise<FaultFleet> {
  await using undo = new AsyncDisposableStack();
  const temp = undo.use(await makeTempDir());
  const folder = await openDataFolder(temp.path);
  undo.defer(() => folder.release());
  const redis = undo.use(await startOwnRedis('--appendfsync', 'everysec'));
  const settings = readConfig(clusterSettings, {});
  const local = await openLocalAws(folder, settings.region, {
    environment: process.env,
    onStep: () => undefined,
  });
  undo.defer(() => local.close());
  await provision(local.access, settings);
  const aws = undo.use(await startAwsProxy(local.access.endpoint ?? ''));
  const network = undo.use(await startTcpProxy(Number(new URL(redis.url).port)));

  const ask = new Redis(redis.url);
  ask.on('error', () => undefined);
  undo.defer(() => ask.disconnect());
  const keys = await createTenants(tenants, local.access, redis.url, ask);
  const countEvents = await routeEvents(local.access, settings.eventBus);

  const environment = {
    ...process.env,
    ...local.environment,
    REDIS_URL: redis.url,
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
  const join = async <P extends Child>(members: P[], starting: Promise<P>): Promise<void> => {
    const member = await starting;
    members.push(member);
    void forgetOnceEnded(members, member);
  };
  const logDir = folder.logs;
  const fleet: Omit<FaultFleet, typeof Symbol.asyncDispose> = {
    redis,
    aws,
    network,
    ingresses,
    workers,
    keys,
    ask,
    countEvents,
    startIngress: () =>
      join(
        ingresses,
        startChild({
          name: `ingress-${(started += 1)}`,
          script: 'services/ingress/main.ts',
          environment,
          logDir,
          ready: IngressReady,
        }),
      ),
    startWorker: ({ behindNetwork = false } = {}) =>
      join(
        workers,
        startChild({
          name: `worker-${(started += 1)}`,
          script: 'services/worker/main.ts',
          environment: {
            ...environment,
            AWS_ENDPOINT_URL: aws.url,
            ...(behindNetwork ? { REDIS_URL: `redis://127.0.0.1:${network.port}` } : {}),
          },
          logDir,
          ready: WorkerReady,
        }),
      ),
  };
  undo.defer(async () => {
    await Promise.all([...ingresses, ...workers].map((each) => each.stop(stopTimeoutMs)));
  });
  await Promise.all([
    fleet.startIngress(),
    fleet.startIngress(),
    fleet.startWorker({ behindNetwork: true }),
    fleet.startWorker(),
    fleet.startWorker(),
  ]);
  const all = undo.move();
  return { ...fleet, [Symbol.asyncDispose]: () => all.disposeAsync() };
}

async function forgetOnceEnded<P extends Child>(members: P[], member: P): Promise<void> {
  await member.ended;
  if (members.includes(member)) members.splice(members.indexOf(member), 1);
}

type Access = Awaited<ReturnType<typeof openLocalAws>>['access'];

async function createTenants(
  tenants: readonly { readonly id: string; readonly cap: number }[],
  aws: Access,
  redis: string,
  connection: Redis,
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
    announce: createAnnouncer(connection),
    shards: 1,
  });
  dynamo.destroy();
  const keys = tenants.map(
    async ({ id }) => [id, await createKey({ aws, redis }, id, 'ann')] as const,
  );
  return new Map(await Promise.all(keys));
}

/** Everything that `events_send` publishes goes to a queue, which is counted. */
async function routeEvents(
  aws: Access,
  EventBusName: string,
): Promise<() => Promise<ReadonlyMap<string, number>>> {
  const sqs = new Q.SQSClient(aws);
  const events = new E.EventBridgeClient(aws);
  const { QueueUrl } = await sqs.send(new Q.CreateQueueCommand({ QueueName: 'counted' }));
  const Name = 'counted';
  const EventPattern = JSON.stringify({ source: ['agent-mesh'] });
  await events.send(new E.PutRuleCommand({ Name, EventBusName, EventPattern }));
  const Arn = `arn:aws:sqs:${aws.region}:000000000000:counted`;
  await events.send(
    new E.PutTargetsCommand({ Rule: Name, EventBusName, Targets: [{ Id: '1', Arn }] }),
  );
  const counts = new Map<string, number>();
  return async () => {
    for (;;) {
      const { Messages = [] } = await sqs.send(
        new Q.ReceiveMessageCommand({ QueueUrl, MaxNumberOfMessages: 10 }),
      );
      if (Messages.length === 0) return counts;
      for (const { Body } of Messages) {
        const { n } = JSON.parse(Body ?? '').detail as { n: string };
        counts.set(n, (counts.get(n) ?? 0) + 1);
      }
      const Entries = Messages.map(({ ReceiptHandle }, i) => ({ Id: `${i}`, ReceiptHandle }));
      await sqs.send(new Q.DeleteMessageBatchCommand({ QueueUrl, Entries }));
    }
  };
}
