import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { hashApiKey } from '../../shared/tenants/api-keys.ts';
import { TenantId, UserId } from '../../shared/ids.ts';
import type { TenantStore } from '../../shared/tenants/tenant-store.ts';
import { resource, startIssuer } from '../identity/an-issuer.ts';
import { startTestCluster, type TestCluster } from '../support/cluster.ts';
import { createKey, withTenantStore } from '../support/keys.ts';
import { modern, post } from './an-ingress.ts';

const names = ['suspended', 'keyless', 'userless', 'signed', 'listening', 'steady'];
const tenants = `
tenants:
${names.map((id) => `  - { id: ${id}, users: [{ id: ann, role: User }] }`).join('\n')}
  - { id: outsiders }
`;

const withinMs = 5_000;
const cli = join(import.meta.dirname, '../../services/cli/main.ts');

let issuer: Awaited<ReturnType<typeof startIssuer>>;
let cluster: TestCluster;
let endpoints: readonly string[];

beforeAll(async () => {
  issuer = await startIssuer();
  cluster = await startTestCluster({
    ingresses: 2,
    tenants,
    environment: { JWT_ISSUERS: JSON.stringify([issuer.entry()]), RESOURCE_URL: resource },
  });
  endpoints = cluster.ingresses.map(({ ready }) => ready.mcp ?? '');
});
afterAll(async () => {
  await cluster[Symbol.asyncDispose]();
  await issuer[Symbol.asyncDispose]();
});

async function answers(key: string): Promise<readonly number[]> {
  const { body, headers } = modern('tools/list');
  return Promise.all(
    endpoints.map(async (mcp) => (await post({ mcp, key }, body, headers)).status),
  );
}

/** A change of the records that no process is told of, as when pub/sub is cut. Resolves with its time. */
async function changeUnannounced(work: (store: TenantStore) => Promise<unknown>): Promise<number> {
  await withTenantStore(cluster, work);
  return performance.now();
}

async function suspend(id: string): Promise<number> {
  return changeUnannounced(async (store) => {
    const tenant = await store.readTenant(TenantId.parse(id));
    if (!tenant) throw new Error(`no tenant ${id}`);
    await store.writeTenant({ ...tenant, status: 'suspended' }, tenant.version);
  });
}

/** Refused everywhere in time, although asked all the while. */
async function expectRefused(key: string, status: number, since: number): Promise<void> {
  let codes = await answers(key);
  while (codes.some((code) => code === 200)) {
    expect(performance.now() - since).toBeLessThan(withinMs);
    codes = await answers(key);
  }
  expect(codes).toEqual([status, status]);
}

const aKey = (tenant: string) => createKey(cluster, tenant, 'ann');

describe('within five seconds, on every ingress and although nobody is told,', () => {
  test('a suspended tenant is refused', async () => {
    const key = await aKey('suspended');
    expect(await answers(key)).toEqual([200, 200]);
    await expectRefused(key, 403, await suspend('suspended'));
  });

  test('a revoked key is refused', async () => {
    const key = await aKey('keyless');
    expect(await answers(key)).toEqual([200, 200]);
    const since = await changeUnannounced((store) =>
      store.revokeKey(hashApiKey(key), TenantId.parse('keyless')),
    );
    await expectRefused(key, 401, since);
  });

  test('a removed user is refused', async () => {
    const key = await aKey('userless');
    expect(await answers(key)).toEqual([200, 200]);
    const since = await changeUnannounced((store) =>
      store.deleteUser(TenantId.parse('userless'), UserId.parse('ann')),
    );
    await expectRefused(key, 401, since);
  });

  test.each(['signed', 'outsiders'])('a token for the suspended tenant %s is', async (tenant) => {
    const token = await issuer.sign({ org: { tenant, role: 'User' } });
    expect(await answers(token)).toEqual([200, 200]);
    await expectRefused(token, 403, await suspend(tenant));
  });

  test('a stream that waits for changes is ended', async () => {
    const key = await aKey('listening');
    const { body, headers } = modern('subscriptions/listen', {
      notifications: { toolsListChanged: true },
    });
    const streams = await Promise.all(endpoints.map((mcp) => post({ mcp, key }, body, headers)));
    const since = await suspend('listening');
    const texts = await Promise.all(streams.map((response) => response.text()));
    expect(performance.now() - since).toBeLessThan(withinMs);
    for (const each of texts) expect(each).toContain('"resultType":"complete"');
  });
});

describe('mesh sessions', () => {
  async function run(...args: readonly string[]) {
    const { redis, aws } = cluster;
    const child = spawn(process.execPath, [cli, 'sessions', ...args], {
      env: {
        ...process.env,
        REDIS_URL: redis,
        AWS_REGION: aws.region,
        AWS_ENDPOINT_URL: aws.endpoint,
        AWS_ACCESS_KEY_ID: aws.credentials?.accessKeyId,
        AWS_SECRET_ACCESS_KEY: aws.credentials?.secretAccessKey,
      },
    });
    const outcome = Promise.all([text(child.stdout), text(child.stderr), once(child, 'exit')]);
    const [stdout, stderr, [code]] = await outcome;
    return { stdout, stderr, code: Number(code) };
  }

  async function open(key: string): Promise<string> {
    const params = {
      protocolVersion: '2025-11-25',
      capabilities: {},
      clientInfo: { name: 'editor', version: '1' },
    };
    const body = { jsonrpc: '2.0', id: 1, method: 'initialize', params };
    const response = await post({ mcp: endpoints[0] ?? '', key }, body);
    await response.text();
    return response.headers.get('mcp-session-id') ?? '';
  }

  const use = (key: string, session: string) =>
    Promise.all(
      endpoints.map(async (mcp) => {
        const body = { jsonrpc: '2.0', id: 1, method: 'tools/list' };
        return (await post({ mcp, key }, body, { 'mcp-session-id': session })).status;
      }),
    );

  test('lists them, and ends one, a user’s, or all; a rotated key costs nobody a session', async () => {
    const key = await aKey('steady');
    const [one, two, three] = [await open(key), await open(key), await open(key)];
    const listed = await run('list', '--tenant=steady', '--json');
    expect(listed.stderr).toBe('');
    const ids = (JSON.parse(listed.stdout) as { id: string; user: string; client: string }[]).map(
      ({ id, user, client }) => {
        expect([user, client]).toEqual(['ann', 'editor']);
        return id;
      },
    );
    expect(ids).toHaveLength(3);

    expect((await run('revoke', '--tenant=steady', ids[0] ?? '')).stdout).toBe(
      'Revoked 1 session.\n',
    );
    expect(await use(key, one)).toEqual([404, 404]);
    expect((await run('rotate-keys')).stdout).toMatch(
      /^New sessions are signed with key \S{8}\.\n$/,
    );
    expect([...(await use(key, two)), ...(await use(key, three))]).toEqual([200, 200, 200, 200]);
    expect((await run('revoke', '--tenant=steady', '--user=bob')).stdout).toContain('Revoked 0');
    expect((await run('revoke', '--tenant=steady', '--user=ann')).stdout).toContain('Revoked 2');
    expect(await use(key, two)).toEqual([404, 404]);
    await open(key);
    expect((await run('revoke', '--tenant=steady', '--all')).stdout).toContain('Revoked 1');
    expect((await run('list', '--tenant=steady')).stdout).toBe('Tenant steady has no sessions.\n');
  }, 60_000);

  test('says what it was not told', async () => {
    const outcomes = await Promise.all([
      run('revoke', '--tenant=steady'),
      run('list', '--tenant=nobody'),
      run('revoke', '--tenant=steady', 'f'.repeat(24)),
    ]);
    expect(outcomes.map(({ code }) => code)).toEqual([1, 1, 1]);
    expect(outcomes.map(({ stderr }) => stderr.trim())).toEqual([
      'error: Name one of: a session id, --user, --all.',
      'error: There is no tenant nobody.',
      `error: Tenant steady has no session ${'f'.repeat(24)}.`,
    ]);
  }, 60_000);
});
