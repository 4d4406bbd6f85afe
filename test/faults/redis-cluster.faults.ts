/** The same processes on a Redis Cluster of three nodes, their tenants on eight shards. */
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { once } from 'node:events';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { startChild } from '../../deploy/local/child.ts';
import { TenantId } from '../../shared/ids.ts';
import { readLeaseRecord, readQueueLimits } from '../../shared/queue/lease-record.ts';
import { connectRedis } from '../../shared/queue/redis.ts';
import { verifyCaps } from '../../shared/queue/verify-caps.ts';
import { createAnnouncer } from '../../shared/tenants/announce-tenant.ts';
import { applyTenants } from '../../shared/tenants/apply-tenants.ts';
import { createTenantStore } from '../../shared/tenants/tenant-store.ts';
import { parseTenantsFile } from '../../shared/tenants/tenants-file.ts';
import { silent } from '../queue/redis.ts';
import { shards, startRedisCluster } from '../queue/redis-nodes.ts';
import { callTool } from '../support/call.ts';
import { createKey } from '../support/keys.ts';
import { startTestAws } from '../support/local-aws.ts';
import { makeTempDir } from '../support/temp-dir.ts';

const cap = 2;
const ids = Array.from({ length: 16 }, (_, i) => `tenant-${i}`);
const limits = `concurrency: ${cap}, requestsPerMinute: 100000, userRequestsPerMinute: 100000`;
const tenantsFile = ids.map(
  (id) => `  - { id: ${id}, limits: { ${limits} }, users: [{ id: ann }] }`,
);

test('calls of every shard are answered, within their caps, through a kill -9', async () => {
  await using cluster = await startRedisCluster();
  await using aws = await startTestAws();
  await using folder = await makeTempDir();
  const node = cluster.url.replace('?cluster=1', '');
  const commands = connectRedis(cluster.url, 'commands', silent);
  await once(commands, 'ready');
  const dynamo = new DynamoDBClient(aws.access);
  await applyTenants(parseTenantsFile(['tenants:', ...tenantsFile].join('\n')), {
    store: createTenantStore({ dynamo, table: aws.resources.tenantsTable }),
    announce: createAnnouncer(commands),
    shards,
  });
  dynamo.destroy();
  const reachable = { aws: aws.access, redis: node };
  const keys = await Promise.all(ids.map((id) => createKey(reachable, id, 'ann')));

  const environment = {
    ...process.env,
    AWS_REGION: aws.access.region,
    AWS_ENDPOINT_URL: aws.access.endpoint,
    AWS_ACCESS_KEY_ID: aws.access.credentials?.accessKeyId,
    AWS_SECRET_ACCESS_KEY: aws.access.credentials?.secretAccessKey,
    REDIS_URL: cluster.url,
    QUEUE_SHARDS: String(shards),
    AGENT_MESH_DIAGNOSTICS: 'true',
    WORKER_LEASE_MS: '2000',
    PORT: '0',
    ADMIN_PORT: '0',
    LOG_LEVEL: 'warn',
  };
  const start = <Ready extends z.ZodType>(name: string, service: string, ready: Ready) => {
    const script = `services/${service}/main.ts`;
    return startChild({ name, script, environment, logDir: folder.path, ready });
  };
  const children = await Promise.all([
    start('ingress', 'ingress', z.object({ mcp: z.string() })),
    start('worker-1', 'worker', z.object({ admin: z.string() })),
    start('worker-2', 'worker', z.object({ admin: z.string() })),
  ]);
  const [ingress, victim] = children;
  try {
    const calls = ids.flatMap((_, i) =>
      Array.from({ length: 20 }, () =>
        callTool({ mcp: ingress.ready.mcp, apiKey: keys[i] ?? '' }, 'diagnostics_sleep', {
          ms: 50,
        }),
      ),
    );
    const [first] = calls;
    await first;
    process.kill(victim.pid, 'SIGKILL');
    const answers = await Promise.all(calls);
    const failed = answers.filter(({ message }) => !message?.result?.structuredContent);
    expect(failed.map(({ text }) => text)).toEqual([]);

    const record = await readLeaseRecord(commands, shards);
    const known = await readQueueLimits(
      commands,
      shards,
      ids.map((id) => TenantId.parse(id)),
    );
    const verdict = verifyCaps(record, { from: 0, to: Date.now() + 1_000 }, known);
    expect(verdict.violations).toEqual([]);
    expect(verdict.tenants.map(({ mostRunning }) => mostRunning)).toEqual(ids.map(() => cap));
  } finally {
    commands.disconnect();
    await Promise.all(children.map((each) => each.stop(10_000)));
  }
}, 90_000);
