/** Wires a worker: configuration, Redis, AWS, slots; drains when asked to stop. */
import { randomBytes } from 'node:crypto';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { SQSClient } from '@aws-sdk/client-sqs';
import { announceProcess } from '../../shared/admin/processes.ts';
import { createRateGate } from '../../shared/aws/buckets/rate-gate.ts';
import { takeTokens } from '../../shared/aws/buckets/take-tokens.ts';
import { createClientCache } from '../../shared/aws/clients.ts';
import { createTenantAws } from '../../shared/aws/create-tenant-aws.ts';
import { markOnce } from '../../shared/aws/once-mark.ts';
import { readConfig } from '../../shared/config/setting.ts';
import { workerSettings } from '../../shared/config/worker.ts';
import { announceChange } from '../../shared/queue/change-events.ts';
import { createDeadLetterStore, openBox } from '../../shared/dead-letters/dead-letter-store.ts';
import { sensitiveOf, timeoutOf } from '../../shared/dead-letters/known-tools.ts';
import { mirrorDeadLetters } from '../../shared/dead-letters/mirror.ts';
import { encodeReply } from '../../shared/queue/invocation.ts';
import { createInvocationQueue } from '../../shared/queue/invocation-queue.ts';
import { createBell } from '../../shared/queue/bell.ts';
import { assertFit } from '../../shared/queue/redis-fitness.ts';
import { connectRedis, createGate } from '../../shared/queue/redis.ts';
import { createTenantStore } from '../../shared/tenants/tenant-store.ts';
import { closeInOrder, runProcess, untilAskedToStop } from '../../shared/shutdown.ts';
import { startAdmin } from '../../shared/telemetry/admin.ts';
import { intercept } from '../../shared/telemetry/intercept.ts';
import { createLog } from '../../shared/telemetry/log.ts';
import { meterQueue } from '../../shared/telemetry/meter-queue.ts';
import { observe } from '../../shared/telemetry/observe.ts';
import { startTelemetry } from '../../shared/telemetry/otel.ts';
import { observeProcess } from '../../shared/telemetry/process-metrics.ts';
import { observeRedis } from '../../shared/telemetry/redis/observe-redis.ts';
import { traceAws } from '../../shared/telemetry/trace-aws.ts';
import { traceQueue } from '../../shared/telemetry/trace-queue.ts';
import { subscribeTenantChanges } from '../../shared/tenants/tenant-changes.ts';
import { createTenantLimits } from '../../shared/usage/tenant-limits.ts';
import { followWrites } from '../../shared/tenants/follow-writes.ts';
import { createKnownTenants } from '../../shared/tenants/known-tenants.ts';
import { readVersion } from '../../shared/version.ts';
import { beginOnce } from './begin-once.ts';
import { createContext } from './create-context.ts';
import type { HeldLease } from './held-lease.ts';
import { runInvocation, type Settlement } from './run-invocation.ts';
import { startSlots } from './slots.ts';
import { observeRuns, outcomeOf } from './telemetry/observe-runs.ts';
import { traceRuns } from './telemetry/trace-runs.ts';
import { findTools } from './tools.ts';
import { announceWorker, hearCancels, renewLeases, sweepShards } from './upkeep.ts';

/** How long an idle worker waits for the bell before it looks by itself, in leases. */
const bellWait = 1 / 4;

async function main(): Promise<void> {
  const asked = untilAskedToStop();
  const config = readConfig(workerSettings, process.env);
  const { leaseMs, shards } = config;
  const name = `w-${randomBytes(6).toString('base64url')}`;
  const log = createLog('worker', config.logLevel);
  const telemetry = await startTelemetry('worker', process.env, log);
  const { metrics, tracer } = telemetry;

  const redis = connectRedis(config.redisUrl, 'commands', log);
  const subscriptions = connectRedis(config.redisUrl, 'subscriptions', log);
  const waiting = Array.from({ length: shards }, () =>
    connectRedis(config.redisUrl, 'waiting', log),
  );
  const metered = meterQueue(createInvocationQueue(redis, { name, leaseMs }), metrics);
  const queue = tracer ? traceQueue(metered, tracer) : metered;
  const gate = createGate(
    redis,
    async () => {
      await assertFit(redis, (advice) => log.warn(advice));
      for (let shard = 0; shard < shards; shard += 1) {
        const heldMs = await queue.hold(shard);
        if (heldMs > 0)
          log.warn({ shard, heldMs }, 'Redis was restarted; claiming waits for old leases');
      }
      // Before the first claim, so that nothing is written that this build does not read.
      await queue.announce(config.slots, leaseMs);
    },
    log,
  );

  // A connection that fails fast: a call that waits for its rate holds a slot.
  const rateTokens = connectRedis(config.redisUrl, 'admission', log);
  const dynamo = new DynamoDBClient({ region: config.region });
  const records = createTenantStore({ dynamo, table: config.tenantsTable });
  const tenants = createKnownTenants({ store: records, confirmedAt: () => writes.confirmedAt() });
  const writes = followWrites({
    store: records,
    onChange: (change) => tenants.invalidate(change),
    onProblem: (what, cause) => log.error({ err: cause }, what),
  });
  const limits = createTenantLimits(tenants);
  const clients = createClientCache({
    ...config,
    rates: createRateGate({
      take: (wanted) => takeTokens(rateTokens, wanted),
      ratesOf: (tenant) => limits.ratesOf(tenant),
    }),
    observe: tracer && traceAws(tracer),
  });
  const deadLetters = createDeadLetterStore({
    redis,
    queue,
    sensitiveOf,
    timeoutOf,
  });
  const tools = await findTools({ conformance: config.conformance });
  const run = intercept(
    (held: HeldLease) =>
      runInvocation(held, {
        findTool: (tool) => tools.get(tool),
        begin: (starting) =>
          beginOnce(starting, {
            mark: (mark, call) =>
              markOnce(mark, call, {
                dynamodb: clients.for(call.tenant).dynamodb,
                table: config.kvTable,
              }),
            begin: (lease) => queue.begin(lease),
          }),
        createContext: (running) =>
          createContext(running, {
            createAws: (call) =>
              createTenantAws(call, {
                clients,
                ...config,
                limitsOf: (tenant) => limits.limitsOf(tenant),
              }),
            openDeadLetters: (lease) =>
              openBox(deadLetters, { id: lease.tenant, shard: lease.shard }, (id) =>
                records.readTenant(id),
              ),
            publish: (channel, notice, v) => {
              redis.publish(channel, encodeReply(notice, v)).catch(() => undefined);
            },
            announce: (tenant, change) => announceChange(redis, tenant, change),
          }),
      }),
    ...(tracer ? [traceRuns(tracer, name)] : []),
    observeRuns(metrics, (tool) => tools.has(tool)),
    observe<HeldLease, Settlement>(log, {
      name: 'invocation',
      describe: ({ lease }) => ({
        id: lease.id,
        tenant: lease.tenant,
        tool: lease.invocation?.tool,
        attempt: lease.attempt,
      }),
      outcomeOf: (settlement) => ({ outcome: outcomeOf(settlement), cause: settlement.cause }),
    }),
  );

  const sqs = new SQSClient({ region: config.region });
  const mirror =
    config.deadLetterQueue === undefined
      ? undefined
      : mirrorDeadLetters(
          { queueUrl: config.deadLetterQueue, shards },
          { redis, letters: deadLetters, sqs, log },
        );

  const bells = waiting.map((connection, shard) =>
    createBell({
      ...{ shard, name, waiting: connection, queue, commands: redis, log },
      waitMs: leaseMs * bellWait,
    }),
  );
  const slots = startSlots(
    { slots: config.slots, shards, leaseMs },
    {
      queue,
      gate,
      run,
      log,
      bells,
    },
  );
  const upkeep = { queue, gate, running: slots.running, log };
  // Whoever starts this process may give up before Redis answers.
  if ((await Promise.race([gate.started, asked])) !== undefined) return;
  await hearCancels(name, subscriptions, slots.running);
  await subscribeTenantChanges(subscriptions, (change) => tenants.invalidate(change));
  const stopRenewing = renewLeases(leaseMs, upkeep);
  const stopSweeping = sweepShards(shards, upkeep);
  const leave = announceWorker(config, upkeep);
  metrics.gauge('agent_mesh_worker_slots', 'Calls that this worker runs at most', () => [
    [config.slots],
  ]);
  metrics.gauge('agent_mesh_worker_running', 'Calls that this worker runs', () => [
    [slots.running.size],
  ]);
  const version = await readVersion();
  const stopObserving = [
    observeProcess(metrics, { service: 'worker', version }),
    observeRedis(metrics, redis, shards),
  ];
  const adminAddress = { host: config.adminHost, port: config.adminPort };
  const admin = await startAdmin(adminAddress, {
    notReady: () => (gate.isOpen ? [] : [gate.problem]),
    metrics: () => metrics.scrape(),
  });
  let draining = false;
  const vanish = announceProcess(redis, { name, kind: 'worker', version }, () => ({
    draining,
    slots: config.slots,
    running: slots.running.size,
  }));
  process.send?.({ admin: admin.url });
  log.info({ name, slots: config.slots, shards, admin: admin.url }, 'worker ready');

  const reason = await asked;
  draining = true;
  log.info({ reason, running: slots.running.size }, 'worker draining');
  await closeInOrder(
    [
      ['sweeping', async () => stopSweeping()],
      ['slots', () => slots.drain(config.drainMs)],
      ['renewing', async () => stopRenewing()],
      ['word of leaving', () => Promise.all([leave(), vanish()])],
      ['admin port', () => admin.close()],
      ['dead letters', async () => mirror?.close()],
      ['looking', async () => stopObserving.forEach((stop) => stop())],
      ['telemetry', () => telemetry.close()],
      [
        'AWS sockets',
        async () => {
          clients.close();
          sqs.destroy();
          writes.close();
          dynamo.destroy();
        },
      ],
      [
        'Redis',
        async () =>
          [redis, rateTokens, subscriptions, ...waiting].forEach((each) => each.disconnect()),
      ],
    ],
    {
      stepTimeoutMs: config.drainMs + 5_000,
      onProblem: (step, cause) => log.error({ step, err: cause }, 'could not close in order'),
    },
  );
  log.info('worker stopped');
}

await runProcess(main);
