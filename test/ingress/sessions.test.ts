import { Redis } from 'ioredis';
import { describe, expect, test } from 'vitest';
import type { SigningKey } from '../../shared/identity/signing-secret.ts';
import { createSessionStore } from '../../shared/sessions/session-store.ts';
import { Limits, type Principal } from '../../shared/tenants/tenant.ts';
import { startTestRedis } from '../support/redis.ts';
import { aPrincipal, messageOf, post, someSessions, startIngress } from './an-ingress.ts';

const list = { jsonrpc: '2.0', id: 1, method: 'tools/list' };

const initialize = (client = 'editor') => ({
  jsonrpc: '2.0',
  id: 1,
  method: 'initialize',
  params: {
    protocolVersion: '2025-11-25',
    capabilities: {},
    clientInfo: { name: client, version: '1' },
  },
});

interface Endpoint {
  readonly mcp: string;
  readonly key: string;
}

async function open(mesh: Endpoint, client?: string): Promise<string> {
  const response = await post(mesh, initialize(client));
  expect(response.status).toBe(200);
  return response.headers.get('mcp-session-id') ?? '';
}

const use = async (mesh: Endpoint, session: string): Promise<number> =>
  (await post(mesh, list, { 'mcp-session-id': session })).status;

/** As `connectRedis` makes it: nothing is queued, nothing is sent again. */
async function connect(url: string): Promise<Redis> {
  const redis = new Redis(url, {
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    retryStrategy: () => 50,
    lazyConnect: true,
  });
  redis.on('error', () => undefined);
  await redis.connect();
  return redis;
}

async function startWithRedis(idleMs = 60_000) {
  const server = await startTestRedis();
  const redis = await connect(server.url);
  const store = createSessionStore(redis, { idleMs });
  const sessions = { ...someSessions(7), store };
  return {
    redis,
    store,
    sessions,
    async [Symbol.asyncDispose]() {
      redis.disconnect();
      await server[Symbol.asyncDispose]();
    },
  };
}

function withSessionLimit(sessions: number, user = 'ann'): Principal {
  const { tenant, ...rest } = aPrincipal('acme', { id: user, role: 'Admin' });
  return { ...rest, tenant: { ...tenant, limits: Limits.parse({ sessions }) } };
}

describe('a session of a 2025-era client', () => {
  test('is listed, and ended at every ingress once it is revoked', async () => {
    await using world = await startWithRedis();
    const { store, sessions } = world;
    await using one = await startIngress({ sessions });
    await using two = await startIngress({ sessions, directory: one.keys.directory });
    const other = { mcp: two.mcp, key: one.key };
    const session = await open(one, 'My\u0000 Editor\u202e ☃');
    expect([await use(one, session), await use(other, session)]).toEqual([200, 200]);

    const { tenant } = aPrincipal('acme');
    const records = await store.list(tenant);
    expect(records).toMatchObject([{ user: 'ann', client: 'My Editor ☃' }]);
    await store.end(
      tenant,
      records.map(({ id }) => id),
    );
    expect([await use(one, session), await use(other, session)]).toEqual([404, 404]);
    const answer = await post(other, list, { 'mcp-session-id': session });
    expect((await messageOf(answer)).error).toEqual({
      code: -32_001,
      message: 'Session not found',
    });
  });

  test('ends after it was idle for too long, and not before', async () => {
    await using world = await startWithRedis(1_500);
    await using mesh = await startIngress({ sessions: world.sessions });
    const [idle, busy] = [await open(mesh), await open(mesh)];
    await expect
      .poll(
        async () => {
          expect(await use(mesh, busy)).toBe(200);
          return (await world.store.list(aPrincipal('acme').tenant)).length;
        },
        { timeout: 10_000, interval: 200 },
      )
      .toBe(1);
    expect(await use(mesh, idle)).toBe(404);
    expect(await use(mesh, busy)).toBe(200);
  });

  test('makes room for a new one if it was idle longest, in its own tenant alone', async () => {
    await using world = await startWithRedis();
    await using mesh = await startIngress({ sessions: world.sessions });
    const acme = { mcp: mesh.mcp, key: mesh.keys.issue(withSessionLimit(2)) };
    const globex = { mcp: mesh.mcp, key: mesh.keys.issue(aPrincipal('globex')) };
    const theirs = await open(globex);
    const first = await open(acme);
    const second = await open(acme);
    const third = await open(acme);
    const codes = [first, second, third].map((session) => use(acme, session));
    expect(await Promise.all(codes)).toEqual([404, 200, 200]);
    expect(await use(globex, theirs)).toBe(200);
  });

  test('is accepted by its signature alone while Redis is away, and can then still be opened', async () => {
    await using world = await startWithRedis();
    await using mesh = await startIngress({ sessions: world.sessions });
    const session = await open(mesh);
    world.redis.disconnect();
    expect(await use(mesh, session)).toBe(200);
    expect(await use(mesh, `${session}x`)).toBe(404);
    expect(await use(mesh, await open(mesh))).toBe(200);
    const ending = await fetch(mesh.mcp, {
      method: 'DELETE',
      headers: { authorization: `Bearer ${mesh.key}`, 'mcp-session-id': session },
    });
    expect(ending.status).toBe(503);
    await world.redis.connect();
    expect(await use(mesh, session)).toBe(200);
  });

  test('outlives one rotation of the key that signed it, and not a second', async () => {
    const keys: SigningKey[] = [1, 2, 3].map((fill) => ({
      id: `key${fill}`,
      key: Buffer.alloc(32, fill),
    }));
    let from = 0;
    // The current key, and the one before it.
    const held = () => [keys[from], keys[from - 1]];
    const sessions = {
      ...someSessions(7),
      keys: {
        current: () => held()[0],
        find: async (id: string) => held().find((key) => key?.id === id),
      },
    };
    await using mesh = await startIngress({ sessions });
    const old = await open(mesh);
    from = 1;
    const fresh = await open(mesh);
    expect([await use(mesh, old), await use(mesh, fresh)]).toEqual([200, 200]);
    from = 2;
    expect([await use(mesh, old), await use(mesh, fresh)]).toEqual([404, 200]);
  });

  test('has to wait as long as there is no signing key; nobody else has to', async () => {
    const { store } = someSessions(7);
    const keys = { current: () => undefined, find: async () => undefined };
    await using mesh = await startIngress({ sessions: { store, keys } });
    for (const body of [initialize(), list]) {
      const headers = body === list ? { 'mcp-session-id': 'a.b.c' } : {};
      const response = await post(mesh, body, headers);
      expect(response.status).toBe(503);
      expect(response.headers.get('retry-after')).toBe('1');
    }
    const client = await mesh.client('auto');
    expect((await client.listTools()).tools.length).toBeGreaterThan(0);
  });
});
