import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createInvocationQueue } from '../../shared/queue/invocation-queue.ts';
import { TenantId } from '../../shared/ids.ts';
import { hashApiKey, keyId } from '../../shared/tenants/api-keys.ts';
import { rawRequest } from '../ingress/an-ingress.ts';
import { aCall, aTenant, anId } from '../queue/calls.ts';
import { callTool, rpc } from '../support/call.ts';
import { startTestCluster, type TestCluster } from '../support/cluster.ts';
import { createKey, withTenantStore } from '../support/keys.ts';
import { addAdmin, meshAdmins, sender, signedIn, type Send } from './admins.ts';

const tenants = `
tenants:
  - { id: acme, name: Acme Tools, limits: { concurrency: 1, requestsPerMinute: 1000 }, users: [{ id: ann, role: Admin }, { id: bob }] }
  - { id: idle }
  - { id: strict, limits: { requestsPerMinute: 1 }, users: [{ id: sam }] }
`;

let cluster: TestCluster;
let admin: string;
let operator: Send;
let viewer: Send;
let anonymous: Send;
let ann: { mcp: string; apiKey: string };

beforeAll(async () => {
  cluster = await startTestCluster({ tenants, diagnostics: true });
  admin = cluster.ingresses[0]?.ready.admin ?? '';
  operator = (await signedIn(admin, await addAdmin(cluster, 'olga', 'operator'))).send;
  viewer = (await signedIn(admin, await addAdmin(cluster, 'vera', 'viewer'))).send;
  anonymous = sender(admin);
  ann = { mcp: cluster.mcp, apiKey: await createKey(cluster, 'acme', 'ann') };
});
afterAll(() => cluster[Symbol.asyncDispose]());

const versionOf = async (tenant: string): Promise<number> =>
  (await operator('GET', `/api/tenants/${tenant}`)).body.version;

const auditOf = async (tenant: string) =>
  (await operator('GET', `/api/tenants/${tenant}/audit`)).body.entries;

describe('the console', () => {
  test('tells nothing to whoever is not signed in, whatever they ask for', async () => {
    for (const path of ['/api/session', '/api/tenants', '/api/tenants/acme', '/api/events']) {
      const { status, body } = await anonymous('GET', path);
      expect([path, status, body]).toEqual([path, 401, { error: 'Sign in first.' }]);
    }
    const forged = { cookie: 'mesh_admin=AAAA' };
    expect((await anonymous('GET', '/api/tenants', undefined, forged)).status).toBe(401);
    expect((await anonymous('GET', '/healthz')).status).toBe(200);
  });

  test('lets nothing from another host, and nothing inline, into its page', async () => {
    const { headers } = await anonymous('GET', '/api/session');
    const policy = headers.get('content-security-policy') ?? '';
    expect(policy).toContain("default-src 'self'");
    expect(policy).toContain("frame-ancestors 'none'");
    expect(policy).not.toContain('unsafe');
    expect(headers.get('x-content-type-options')).toBe('nosniff');
    expect(headers.get('cache-control')).toBe('no-store');
  });

  test('answers under the names of this machine alone', async () => {
    const foreign = await rawRequest(`${admin}/api/session`, { headers: { host: 'evil.example' } });
    expect(foreign.status).toBe(403);
    const local = await rawRequest(`${admin}/api/session`, { headers: { host: 'localhost:3001' } });
    expect(local.status).toBe(401);
  });

  test('gives a cookie that no script can read, and a session that ends when it is told to', async () => {
    const token = await addAdmin(cluster, 'ina', 'viewer');
    const answer = await anonymous('POST', '/api/session', { token });
    expect(answer.headers.get('set-cookie')).toMatch(
      /^mesh_admin=[\w-]{43}; HttpOnly; SameSite=Strict; Path=\/$/,
    );
    const { send, cookie } = await signedIn(admin, token);
    expect((await send('GET', '/api/session')).body).toMatchObject({ name: 'ina', role: 'viewer' });
    expect((await send('DELETE', '/api/session')).status).toBe(200);
    expect((await anonymous('GET', '/api/session', undefined, { cookie })).status).toBe(401);
  });

  test('signs out whoever is signed in with an account that is taken away', async () => {
    const token = await meshAdmins(cluster, 'add', 'gone', '--role', 'operator');
    expect(token).toMatch(/^ama_[\w-]{43}$/);
    await expect(meshAdmins(cluster, 'add', 'gone', '--role', 'viewer')).rejects.toThrow(
      'There is an admin gone already.',
    );
    const { send } = await signedIn(admin, token);
    expect((await send('GET', '/api/session')).body).toMatchObject({ role: 'operator' });
    expect(await meshAdmins(cluster, 'list')).toMatch(/^gone +operator /m);
    expect(await meshAdmins(cluster, 'remove', 'gone')).toBe('Removed gone.');
    expect((await send('GET', '/api/session')).status).toBe(401);
    expect((await anonymous('POST', '/api/session', { token })).status).toBe(401);
  });

  test('takes a change from its own page alone', async () => {
    const version = await versionOf('idle');
    const change = { version, fields: ['weight=3'] };
    const path = '/api/tenants/idle/limits';
    const without = await operator('POST', path, change, { 'x-mesh-csrf': '' });
    const elsewhere = await operator('POST', path, change, { origin: 'http://evil.example' });
    const crossSite = await operator('POST', path, change, { 'sec-fetch-site': 'cross-site' });
    const none = await operator('POST', path, change, { origin: '' });
    expect([without, elsewhere, crossSite, none].map(({ status }) => status)).toEqual([
      403, 403, 403, 403,
    ]);
    expect(await versionOf('idle')).toBe(version);
  });

  test('lets a viewer look and change nothing, and writes down who tried', async () => {
    const { status, body } = await viewer('GET', '/api/tenants/idle');
    expect(status).toBe(200);
    const tried = { version: body.version, fields: ['limits.concurrency=99'] };
    const refused = await viewer('POST', '/api/tenants/idle/limits', tried);
    expect([refused.status, refused.body.error]).toEqual([
      403,
      'Viewers may look and change nothing.',
    ]);
    expect(await versionOf('idle')).toBe(body.version);
    await expect
      .poll(() => auditOf('idle'), { timeout: 10_000 })
      .toMatchObject([
        {
          user: 'vera',
          credential: 'console',
          action: 'tenants/update',
          decision: 'refused',
          rule: 'viewer',
        },
      ]);
  });

  test('changes a limit, which holds at once and is in the audit with its author', async () => {
    const version = await versionOf('acme');
    const change = { version, fields: ['limits.concurrency=2'] };
    expect((await operator('POST', '/api/tenants/acme/limits', change)).status).toBe(200);
    const again = await operator('POST', '/api/tenants/acme/limits', change);
    expect(again.status).toBe(409);
    const wrong = { version: version + 1, fields: ['limits.concurrency=many'] };
    expect((await operator('POST', '/api/tenants/acme/limits', wrong)).status).toBe(422);

    const sleeps = [1, 2, 3].map(() => callTool(ann, 'diagnostics_sleep', { ms: 1_500 }));
    const concurrency = expect.objectContaining({ field: 'limits.concurrency', limit: 2, used: 2 });
    await expect
      .poll(async () => (await operator('GET', '/api/tenants/acme')).body.limits, {
        timeout: 10_000,
      })
      .toContainEqual(concurrency);
    const list = await operator('GET', '/api/tenants?sort=waiting');
    expect(list.body.rows[0]).toMatchObject({ id: 'acme', cap: 2, running: 2, waiting: 1 });
    await Promise.all(sleeps);
    await expect
      .poll(() => auditOf('acme'), { timeout: 10_000 })
      .toContainEqual(
        expect.objectContaining({
          user: 'olga',
          credential: 'console',
          action: 'tenants/update',
          subject: 'limits.concurrency=2',
          decision: 'allowed',
        }),
      );
  });

  test('says of a call that its tenant was at its cap, and of a refused one by which rule', async () => {
    const version = await versionOf('acme');
    await operator('POST', '/api/tenants/acme/limits', {
      version,
      fields: ['limits.concurrency=1'],
    });
    const first = callTool(ann, 'diagnostics_sleep', { ms: 4_000 });
    await expect
      .poll(async () => (await operator('GET', '/api/tenants?sort=use')).body.rows[0], {
        timeout: 3_500,
      })
      .toMatchObject({ id: 'acme', running: 1 });
    await callTool(ann, 'kv_get', { key: 'a' });
    await first;
    const sam = { mcp: cluster.mcp, apiKey: await createKey(cluster, 'strict', 'sam') };
    await callTool(sam, 'kv_get', { key: 'a' });
    await callTool(sam, 'kv_get', { key: 'a' });
    const findSlow = async () =>
      (await auditOf('acme')).find(({ subject }: { subject: string }) => subject === 'kv_get');
    await expect.poll(findSlow, { timeout: 10_000 }).toBeDefined();
    const slow = await findSlow();
    const { body } = await operator('GET', `/api/tenants/acme/calls/${slow.invocation}`);
    expect(body).toMatchObject({ state: 'ended', reply: { status: 'completed' } });
    expect(body.verdict.join(' ')).toMatch(
      /^It waited .+ for a slot\. Its tenant ran 1 calls, its cap, for \d+ % of that time\..+ It ran for .+ on w-.+ It ended: completed\.$/,
    );
    expect(body.timeline.map(({ what }: { what: string }) => what)).toEqual([
      'Accepted, in line',
      'Started by a worker',
      'Settled',
      'Answered, and in the audit',
    ]);

    await expect.poll(() => auditOf('strict'), { timeout: 10_000 }).toHaveLength(2);
    const [refused] = await auditOf('strict');
    const why = await operator(
      'GET',
      `/api/tenants/strict/calls/${encodeURIComponent(`#${refused.seq}`)}`,
    );
    expect(why.body.verdict).toEqual([expect.stringMatching(/^Refused by a rate/)]);
    const list = await operator('GET', '/api/tenants?sort=refused');
    expect(list.body.rows[0]).toMatchObject({ id: 'strict', refused: 1 });
    const strange = await operator('GET', `/api/tenants/idle/calls/${slow.invocation}`);
    expect(strange.status).toBe(404);
  });

  test('suspends and resumes, revokes keys, sessions and users', async () => {
    const bob = { mcp: cluster.mcp, apiKey: await createKey(cluster, 'acme', 'bob') };
    const id = keyId(hashApiKey(bob.apiKey));
    expect((await operator('GET', '/api/tenants/acme/keys')).body.keys).toContainEqual(
      expect.objectContaining({ id, user: 'bob' }),
    );
    const initialize = {
      protocolVersion: '2025-11-25',
      capabilities: {},
      clientInfo: { name: 'old', version: '1' },
    };
    await rpc(bob, 'initialize', initialize);
    const [session] = (await operator('GET', '/api/tenants/acme')).body.sessions;
    expect(session).toMatchObject({ user: 'bob', client: expect.stringContaining('old') });
    const ended = await operator('POST', '/api/tenants/acme/sessions/revoke', {
      session: session.id,
    });
    expect(ended.status).toBe(200);
    expect((await operator('GET', '/api/tenants/acme')).body.sessions).toEqual([]);

    const setStatus = async (status: string) =>
      operator('POST', '/api/tenants/acme/status', { version: await versionOf('acme'), status });
    await setStatus('suspended');
    await expect.poll(async () => (await callTool(bob, 'kv_get', { key: 'a' })).status).toBe(403);
    await setStatus('active');
    await expect.poll(async () => (await callTool(bob, 'kv_get', { key: 'a' })).status).toBe(200);

    // Only of its own tenant.
    const wrong = await operator('POST', '/api/tenants/idle/keys/revoke', { key: id });
    expect(wrong.status).toBe(404);
    await operator('POST', '/api/tenants/acme/keys/revoke', { key: id });
    await expect.poll(async () => (await callTool(bob, 'kv_get', { key: 'a' })).status).toBe(401);
    const removed = await operator('POST', '/api/tenants/acme/users/remove', { user: 'bob' });
    expect(removed.body.done).toMatch(/^Removed bob/);
    const acme = TenantId.parse('acme');
    const users = await withTenantStore(cluster, (store) => store.listUsers(acme));
    expect(users.map((user) => user.id)).toEqual(['ann']);
  });

  test('replays and discards dead letters, without ever showing arguments', async () => {
    const redis = new Redis(cluster.redis);
    const queue = createInvocationQueue(redis, { name: 'test', leaseMs: 10_000 });
    const id = anId('by-console');
    await queue.admit(aCall(aTenant(), { id, tool: 'gone', arguments: { field: 'hush' } }));
    const letters = async () => (await operator('GET', '/api/tenants/acme')).body;
    const dead = expect.objectContaining({ id, tool: 'gone', code: 'internal', attempts: 1 });
    await expect
      .poll(async () => (await letters()).deadLetters, { timeout: 15_000 })
      .toEqual([dead]);
    expect(JSON.stringify(await letters())).not.toContain('hush');
    const { body } = await operator('GET', `/api/tenants/acme/calls/${id}`);
    expect(body.reply).toMatchObject({ status: 'faulted', fault: 'internal' });

    const replayed = await operator('POST', '/api/tenants/acme/dead-letters/replay', { ids: [id] });
    expect(replayed.body.done).toBe('Replayed 1 of 1.');
    await expect.poll(async () => (await letters()).deadLetterCount, { timeout: 15_000 }).toBe(1);
    await operator('POST', '/api/tenants/acme/dead-letters/discard', { ids: [id] });
    expect((await letters()).deadLetterCount).toBe(0);
    redis.disconnect();
  });

  test('makes whoever guesses tokens wait', async () => {
    // Others may have been wrong a moment ago.
    const guess = () => anonymous('POST', '/api/session', { token: 'ama_guess' });
    const statuses = [];
    for (let i = 0; i < 11; i += 1) statuses.push((await guess()).status);
    expect([statuses.at(0), statuses.at(-1)]).toEqual([401, 429]);
    expect((await guess()).headers.get('retry-after')).toBe('60');
  });
});
