import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { STSClient } from '@aws-sdk/client-sts';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startLocalAws, type LocalAws } from '../../deploy/local/aws/server.ts';
import { localTenantRole } from '../../deploy/local/backends.ts';
import { provision } from '../../deploy/local/provision.ts';
import { allChecks } from '../../services/cli/doctor.ts';
import { examine } from '../../services/cli/doctor/examine.ts';
import { redisChecks } from '../../services/cli/doctor/redis-checks.ts';
import { tenantChecks } from '../../services/cli/doctor/tenant-checks.ts';
import { tenantCredentials } from '../../shared/aws/credentials.ts';
import { clusterSettings } from '../../shared/config/cluster.ts';
import { ingressSettings } from '../../shared/config/ingress.ts';
import { readConfig } from '../../shared/config/setting.ts';
import { readSigningKeys } from '../../shared/identity/signing-secret.ts';
import { TenantId } from '../../shared/ids.ts';
import { startTestRedis, type TestRedis } from '../support/redis.ts';

const credentials = { accessKeyId: 'doctor', secretAccessKey: 'secret' };
const config = readConfig(
  { ...clusterSettings, signingSecret: ingressSettings.signingSecret },
  { AGENT_MESH_TENANT_ROLE: localTenantRole },
);

let server: TestRedis;
let redis: Redis;
beforeAll(async () => {
  server = await startTestRedis();
  redis = new Redis(server.url);
  await redis.config('SET', 'maxmemory', '512mb');
});
afterAll(async () => {
  redis.disconnect();
  await server[Symbol.asyncDispose]();
});

/** Set up whole, as `mesh setup` does it; its tenant policy speaks of `kvTable`. */
async function startAws(kvTable: string = config.kvTable) {
  const dataDir = await mkdtemp(join(tmpdir(), 'mesh-doctor-'));
  const aws: LocalAws = await startLocalAws({
    dataDir,
    credentials,
    names: { ...config, kvTable },
  });
  const access = { region: config.region, endpoint: aws.url, credentials };
  await provision(access, config);
  const client = new SecretsManagerClient(access);
  await readSigningKeys({ client, name: config.signingSecret });
  client.destroy();
  return {
    access,
    async [Symbol.asyncDispose]() {
      await aws.close();
      await rm(dataDir, { recursive: true });
    },
  };
}

/** What the doctor says of all that is not in order. */
async function complaints(checks: Parameters<typeof examine>[0]) {
  const lines: string[] = [];
  const counts = await examine(checks, (line) => lines.push(line));
  return { counts, lines, bad: lines.filter((line) => !line.startsWith('✓ ok')) };
}

describe('mesh doctor', () => {
  test('finds nothing to mend in a cluster that is set up whole', async () => {
    await using aws = await startAws();
    const { counts, lines, bad } = await complaints(allChecks(config, { redis, ...aws }));
    expect(bad).toEqual([]);
    expect(counts).toEqual({ ok: lines.length, warning: 0, failed: 0 });
    expect(lines).toContain(
      '✓ ok       a tenant may not dynamodb:GetItem on items of mesh-doctor-other: refused',
    );
  });

  test('names the table that is missing', async () => {
    await using aws = await startAws();
    const elsewhere = { ...config, auditTable: 'lost-audit' };
    const { bad } = await complaints(allChecks(elsewhere, { redis, ...aws }));
    expect(bad).toHaveLength(3);
    for (const line of bad) {
      expect(line).toMatch(/^✗ failed .*lost-audit does not exist → mesh setup makes it/);
    }
  });

  test('says which rights an ingress lacks', async () => {
    await using aws = await startAws();
    const sts = new STSClient(aws.access);
    const tenant = TenantId.parse('acme');
    const session = await tenantCredentials(tenant, { sts, role: localTenantRole })();
    sts.destroy();
    const access = { ...aws.access, credentials: session };
    const { counts, bad } = await complaints(allChecks(config, { redis, access }, 'ingress'));
    expect(counts).toMatchObject({ warning: 0, failed: 10 });
    expect(bad).toContain(
      '✗ failed   ingress may dynamodb:Scan on agent-mesh-tenants: AWS refuses it → Allow dynamodb:Scan on agent-mesh-tenants, as the stack of deploy/aws does.',
    );
  });

  test("says which right the tenants' policy lacks, and on what", async () => {
    await using aws = await startAws('another-table');
    const { bad } = await complaints(allChecks(config, { redis, ...aws }));
    expect(bad.map((line) => line.split(' → ')[0])).toEqual([
      '✗ failed   a tenant may dynamodb:GetItem on items of mesh-doctor: AWS refuses it',
      '✗ failed   a tenant may dynamodb:PutItem on items of mesh-doctor: AWS refuses it',
    ]);
  });

  test('finds a role under which tenants can cross over', async () => {
    await using aws = await startAws();
    // The account itself, which no policy confines.
    const checks = tenantChecks({
      ...{ ...config, access: aws.access, role: 'too wide' },
      credentials: async () => credentials,
    });
    const { bad } = await complaints(checks);
    expect(bad).toHaveLength(6);
    for (const line of bad) expect(line).toContain('nothing but the code keeps tenants apart');
  });

  test('warns of a cluster without such a role, and looks at what each kind may do', async () => {
    await using aws = await startAws();
    const own = { ...config, tenantRole: undefined };
    const worker = await complaints(allChecks(own, { redis, ...aws }, 'worker'));
    expect(worker.bad).toEqual([expect.stringMatching(/^! warning {2}Tenants' role: none/)]);
    expect(worker.lines.join('\n')).not.toContain('ingress may');
    const ingress = await complaints(allChecks(own, { redis, ...aws }, 'ingress'));
    expect(ingress.bad).toEqual([]);
    expect(ingress.lines.join('\n')).not.toContain('worker may');
  });

  test('says that AWS does not answer, line by line, and goes on', async () => {
    const access = { region: config.region, endpoint: 'http://127.0.0.1:9', credentials };
    const { counts, bad } = await complaints(allChecks(config, { redis, access }, 'ingress'));
    expect(counts).toMatchObject({ ok: 5, warning: 0 });
    for (const line of bad) expect(line).toContain('AWS does not answer');
  });

  test('says how to mend a Redis that evicts calls, forgets them, or has no limit', async () => {
    await redis.config('SET', 'maxmemory-policy', 'allkeys-lru');
    await redis.config('SET', 'appendonly', 'no');
    await redis.config('SET', 'maxmemory', '0');
    const { counts, bad } = await complaints(redisChecks(redis));
    expect(counts).toEqual({ ok: 1, warning: 2, failed: 1 });
    expect(bad.map((line) => line.split(': ')[0])).toEqual([
      '✗ failed   Redis eviction',
      '! warning  Redis persistence',
      '! warning  Redis memory',
    ]);
    expect(bad[0]).toContain('CONFIG SET maxmemory-policy noeviction');

    await redis.config('SET', 'maxmemory', '1mb');
    expect((await complaints(redisChecks(redis))).bad.at(-1)).toContain('new calls are refused');
  });
});
