/** Wires an ingress: configuration, Redis, tenant records, the queue; drains when asked to stop. */
import { randomBytes } from 'node:crypto';
// eslint-disable-next-line no-restricted-imports -- constructed here, used by shared/tenants alone
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
// eslint-disable-next-line no-restricted-imports -- constructed here, used by shared/identity alone
import { SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import type { Redis } from 'ioredis';
import { openConsole } from '../../shared/admin/open-console.ts';
import { countRefusedCalls } from '../../shared/admin/refused-calls.ts';
import { createAuditLog } from '../../shared/audit/audit-log.ts';
import { createAudit } from '../../shared/audit/audit.ts';
import { ingressSettings } from '../../shared/config/ingress.ts';
import { ConfigError, readConfig, type Config } from '../../shared/config/setting.ts';
import { rememberTokens } from '../../shared/identity/remember-tokens.ts';
import { openSigningKeys } from '../../shared/identity/signing-keys.ts';
import { readSigningKeys } from '../../shared/identity/signing-secret.ts';
import { createTokenVerifier } from '../../shared/identity/token-verifier.ts';
import { TenantId, UserId } from '../../shared/ids.ts';
import { subscribeChanges } from '../../shared/queue/change-events.ts';
import { createAgreedVersion } from '../../shared/queue/agreed-version.ts';
import { createInvocationQueue } from '../../shared/queue/invocation-queue.ts';
import { cancelChannel } from '../../shared/queue/names.ts';
import { watchPressure } from '../../shared/queue/pressure.ts';
import { createRedisClock } from '../../shared/queue/redis-clock.ts';
import { assertFit } from '../../shared/queue/redis-fitness.ts';
import { connectRedis, createGate } from '../../shared/queue/redis.ts';
import { createReplies } from '../../shared/queue/replies.ts';
import { createSessionStates, subscribeSessions } from '../../shared/sessions/session-states.ts';
import { createSessionStore } from '../../shared/sessions/session-store.ts';
import { closeInOrder, runProcess, untilAskedToStop } from '../../shared/shutdown.ts';
import { startAdmin } from '../../shared/telemetry/admin.ts';
import { createLog } from '../../shared/telemetry/log.ts';
import { startTelemetry } from '../../shared/telemetry/otel.ts';
import { observeProcess } from '../../shared/telemetry/process-metrics.ts';
import { observeRedis } from '../../shared/telemetry/redis/observe-redis.ts';
import { observeWork } from '../../shared/telemetry/redis/observe-work.ts';
import { createTaskStore } from '../../shared/tasks/task-store.ts';
import { createTenantDirectory } from '../../shared/tenants/directory.ts';
import { followWrites } from '../../shared/tenants/follow-writes.ts';
import { createKnownTenants } from '../../shared/tenants/known-tenants.ts';
import { subscribeTenantChanges } from '../../shared/tenants/tenant-changes.ts';
import { createTenantStore } from '../../shared/tenants/tenant-store.ts';
import { createCatalog } from '../../shared/tools/catalog.ts';
import { consoleFolder, readVersion } from '../../shared/version.ts';
import { openAnswerChannel } from './answer-channel.ts';
import { auditCalls, auditForbidden, auditSuspended } from './audit-calls.ts';
import { assertAuthAllowed, type Auth } from './authenticate.ts';
import { createCallTool } from './call-tool.ts';
import { createTaskNews } from './streams/task-news.ts';
import { createTasks } from './tasks.ts';
import { createFindPlace } from './tell-waiting.ts';
import { createTurns } from './turns.ts';
import { openCancellationChannel } from './cancellation-channel.ts';
import { createDetach } from './detach-call.ts';
import { createIngress } from './ingress.ts';
import { describeResource } from './protected-resource.ts';
import { watchRequests } from './telemetry/watch-requests.ts';

/** Admissions of one tenant in flight: more only lengthen the line in front of Redis. */
const admissionsAtOnce = 16;

async function main(): Promise<void> {
  const config = readConfig(ingressSettings, process.env);
  const auth = authOf(config);
  assertAuthAllowed(auth, config.host);
  const issuers = issuersOf(config);
  const name = `g-${randomBytes(6).toString('base64url')}`;
  const log = createLog('ingress', config.logLevel);
  const telemetry = await startTelemetry('ingress', process.env, log);
  const { metrics } = telemetry;
  const watch = watchRequests(telemetry, log);

  const admission = connectRedis(config.redisUrl, 'admission', log);
  const commands = connectRedis(config.redisUrl, 'commands', log);
  const subscriptions = connectRedis(config.redisUrl, 'subscriptions', log);
  const queue = createInvocationQueue(admission, { name, leaseMs: config.leaseMs });
  const onProblem = (what: string, cause: unknown) => log.error({ err: cause }, what);
  const version = createAgreedVersion(queue, config.leaseMs, onProblem);
  const join = async () => {
    await assertFit(admission, (advice) => log.warn(advice));
    for (let shard = 0; shard < config.shards; shard += 1) await queue.hold(shard);
    await version.announce();
  };
  const gate = createGate(admission, join, log);
  const asked = untilAskedToStop();
  const connected = Promise.all([gate.started, untilReady(commands), untilReady(subscriptions)]);
  // Without Redis this waits for ever, but not for longer than somebody wants it.
  const reasonToStop = await Promise.race([connected.then(() => undefined), asked]);
  if (reasonToStop !== undefined) return;

  const dynamo = new DynamoDBClient({ region: config.region });
  const secrets = new SecretsManagerClient({ region: config.region, maxAttempts: 2 });
  const store = createTenantStore({ dynamo, table: config.tenantsTable });
  const known = { store, confirmedAt: () => writes.confirmedAt() };
  const tenants = createKnownTenants(known);
  const directory = createTenantDirectory({ ...known, tenants });
  const writes = followWrites({
    store,
    onChange: (change) => directory.invalidate(change),
    onProblem,
  });
  const signingSecret = { client: secrets, name: config.signingSecret };
  const keys = await openSigningKeys({ read: () => readSigningKeys(signingSecret), onProblem });
  const replies = await createReplies({ name, commands, subscriptions, log });
  const pressure = watchPressure(commands, log);
  const catalog = createCatalog(config);

  const taskStore = createTaskStore(commands);
  const sessionTimes = { idleMs: config.sessionIdleMs };
  const admissionPorts = {
    ...config,
    queue: watch.queue(queue),
    gate,
    clock: createRedisClock(),
    turns: createTurns(admissionsAtOnce),
    refusal: () => pressure.refusal(),
    replyChannel: replies.channel,
    messageVersion: () => version.current(),
  };

  const auditLog = createAuditLog({ dynamo, table: config.auditTable });
  const refused = countRefusedCalls(commands);
  const audit = refused.hear(
    createAudit(
      { name, shards: config.shards, retentionDays: config.auditDays },
      { redis: commands, log: auditLog, onProblem },
    ),
  );
  const build = await readVersion();
  const mesh = openConsole(
    { ...config, name, version: build, folder: consoleFolder },
    { redis: commands, dynamo, store, audit, auditLog, refused, log, onProblem },
  );
  const callTool = createCallTool({
    ...admissionPorts,
    catalog,
    replies,
    findPlace: createFindPlace(commands),
    detach: createDetach({ ...config, store: taskStore }),
  });

  const tasks = createTasks({ store: taskStore, admission: admissionPorts, catalog });
  const ingress = createIngress(
    {
      ...config,
      auth,
      version: build,
      resource: issuers && describeResource(issuers.resource, issuers.issuers),
    },
    {
      catalog,
      directory,
      tokens: issuers && {
        ...rememberTokens(createTokenVerifier(issuers, { onProblem })),
        findTenant: (id) => tenants.find(id),
      },
      callTool: auditCalls(mesh.measure(watch.calls(callTool)), audit),
      onForbidden(principal, tool) {
        watch.refused('unknown_tool');
        auditForbidden(principal, tool, audit);
      },
      onSuspended(principal) {
        watch.refused('tenant_suspended');
        auditSuspended(principal, audit);
      },
      tasks,
      taskNews: createTaskNews({ store: taskStore, tasks, replies }),
      cancellations: await openCancellationChannel(cancelChannel, { commands, subscriptions }),
      answers: await openAnswerChannel(name, { commands, subscriptions }),
      sessions: {
        keys,
        store: createSessionStore(commands, sessionTimes),
        states: createSessionStates(commands, sessionTimes),
      },
      onRequest: (record) => watch.onRequest(record),
      onProblem,
    },
  );
  await subscribeTenantChanges(subscriptions, (change) => {
    directory.invalidate(change);
    mesh.onTenantChange(change);
    ingress.onTenantChange(change);
  });
  await version.keep(subscriptions);
  await subscribeChanges(subscriptions, (tenant, change) => ingress.onChange(tenant, change));
  await subscribeSessions(subscriptions, (id) => ingress.onSession(id));
  metrics.gauge('agent_mesh_ingress_in_flight', 'Requests without a whole answer', () => [
    [ingress.inFlight],
  ]);
  metrics.gauge('agent_mesh_ingress_streams', 'Streams that wait for changes', () => [
    [ingress.streams],
  ]);
  const stopObserving = [
    observeProcess(metrics, { service: 'ingress', version: build }),
    observeRedis(metrics, commands, config.shards),
    observeWork(metrics, commands, config.shards),
  ];
  const adminAddress = { host: config.adminHost, port: config.adminPort };
  const admin = await startAdmin(adminAddress, {
    notReady: () => [
      ...(ingress.isDraining ? ['draining'] : []),
      ...(gate.isOpen ? [] : [gate.problem]),
      ...(pressure.problem === undefined ? [] : [pressure.problem]),
    ],
    metrics: () => metrics.scrape(),
    routes: mesh.routes,
  });
  mesh.announce(() => ({ draining: ingress.isDraining, running: ingress.inFlight }));
  const addresses = { mcp: await ingress.listen(), admin: admin.url };
  process.send?.(addresses);
  log.info({ name, ...addresses }, 'ingress ready');

  const reason = await asked;
  log.info({ reason, inFlight: ingress.inFlight }, 'ingress draining');
  await closeInOrder(
    [
      ['requests', () => ingress.drain(config.drainMs)],
      ['word of leaving', () => version.close()],
      ['console', () => mesh.close()],
      ['audit', () => audit.close()],
      ['admin port', () => admin.close()],
      ['pressure', async () => pressure.close()],
      ['writes followed', async () => writes.close()],
      ['looking', async () => stopObserving.forEach((stop) => stop())],
      ['telemetry', () => telemetry.close()],
      ['session keys', async () => keys.close()],
      ['AWS sockets', async () => [dynamo, secrets].forEach((client) => client.destroy())],
      [
        'Redis',
        async () => [admission, commands, subscriptions].forEach((each) => each.disconnect()),
      ],
    ],
    {
      stepTimeoutMs: config.drainMs + 5_000,
      onProblem: (step, cause) => log.error({ step, err: cause }, 'could not close in order'),
    },
  );
  log.info('ingress stopped');
}

function authOf({ auth, defaultTenant, defaultUser }: Config<typeof ingressSettings>): Auth {
  if (auth === 'on') return { mode: 'on' };
  return { mode: 'off', tenant: TenantId.parse(defaultTenant), user: UserId.parse(defaultUser) };
}

/** @throws {ConfigError} if tokens are accepted and nothing says for which resource. */
function issuersOf({ issuers, resource }: Config<typeof ingressSettings>) {
  if (issuers.length === 0) return undefined;
  if (resource !== undefined) return { issuers, resource };
  throw new ConfigError(
    'JWT_ISSUERS needs RESOURCE_URL: the URL of the MCP endpoint as clients know it, which tokens must be meant for.',
  );
}

/** Never rejects: a connection that fails is made again. */
function untilReady(redis: Redis): Promise<void> {
  if (redis.status === 'ready') return Promise.resolve();
  return new Promise((resolve) => {
    redis.once('ready', resolve);
  });
}

await runProcess(main);
