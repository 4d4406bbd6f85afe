import { once } from 'node:events';
import { connect } from 'node:net';
import { describe, expect, test } from 'vitest';
import { Fault } from '../../shared/faults.ts';
import { createIngress } from '../../services/ingress/ingress.ts';
import {
  aChannel,
  aPrincipal,
  keyring,
  legacyCall,
  messageOf,
  modern,
  post,
  rawRequest,
  someSessions,
  startIngress,
  textResult,
} from './an-ingress.ts';

const call = legacyCall('kv_get', { key: 'a' });
const mib = 1_048_576;

describe('a token', () => {
  test('that is missing, malformed or unknown gets 401 with the right challenge', async () => {
    await using mesh = await startIngress();
    const challenge = async (authorization: string | undefined) => {
      const response = await post(mesh, call, { authorization });
      expect(response.status).toBe(401);
      expect(await response.json()).toMatchObject({
        jsonrpc: '2.0',
        id: null,
        error: { data: { 'agent-mesh/fault': 'unauthenticated' } },
      });
      return response.headers.get('www-authenticate');
    };
    expect(await challenge(undefined)).toBe('Bearer');
    const invalid = 'Bearer error="invalid_token"';
    expect(await challenge(`Bearer am_${'x'.repeat(43)}`)).toBe(invalid);
    expect(await challenge(`Bearer ${mesh.key}x`)).toBe(invalid);
    expect(await challenge(`Bearer ${mesh.key} ${mesh.key}`)).toBe(invalid);
    expect(await challenge(`Basic ${mesh.key}`)).toBe(invalid);
    expect(await challenge(mesh.key)).toBe(invalid);
    expect((await post(mesh, call, { authorization: `bearer ${mesh.key}` })).status).toBe(200);
  });

  test('is looked up only if it has the form of one', async () => {
    let lookUps = 0;
    await using mesh = await startIngress({
      directory: {
        async findKey() {
          lookUps += 1;
          return undefined;
        },
        find: async () => undefined,
      },
    });
    await post(mesh, call, { authorization: 'Bearer sk_something' });
    expect(lookUps).toBe(0);
    await post(mesh, call);
    expect(lookUps).toBe(1);
  });

  test('of a suspended tenant gets 403', async () => {
    await using mesh = await startIngress();
    const key = mesh.keys.issue(aPrincipal('globex', {}, 'suspended'));
    const response = await post({ ...mesh, key }, call);
    expect(response.status).toBe(403);
    expect((await messageOf(response)).error.data['agent-mesh/fault']).toBe('tenant_suspended');
  });

  test('that cannot be checked gets 503 and a waiting time, not 401', async () => {
    const unreachable = () => Promise.reject(new Error('table tenants-prod is gone'));
    await using mesh = await startIngress({
      directory: { findKey: unreachable, find: unreachable },
    });
    const response = await post(mesh, call);
    expect(response.status).toBe(503);
    expect(response.headers.get('retry-after')).toBe('1');
    expect(await response.text()).not.toContain('tenants-prod');
    expect(mesh.problems).toHaveLength(1);
  });
});

describe('AUTH=off', () => {
  const tenant = aPrincipal('demo-tenant').tenant.id;
  const user = aPrincipal('demo-tenant').user.id;
  const auth = { mode: 'off', tenant, user } as const;

  test('makes every caller the default user', async () => {
    const keys = keyring();
    keys.issue(aPrincipal('demo-tenant'));
    await using mesh = await startIngress(
      {
        directory: keys.directory,
        callTool: async ({ principal }) => textResult(principal.tenant.id),
      },
      { auth },
    );
    const response = await post(mesh, call, { authorization: undefined });
    expect((await messageOf(response)).result.content[0]?.text).toBe('demo-tenant');
  });

  test.each(['0.0.0.0', '::', '10.0.0.7', 'example.com', '127.evil.com'])(
    'is refused at start on %s',
    (host) => {
      expect(() => build(host)).toThrow(/AUTH=off/);
    },
  );

  test.each(['127.0.0.1', '127.8.8.8', 'localhost', '::1'])('is accepted on %s', (host) => {
    expect(() => build(host)).not.toThrow();
  });

  function build(host: string) {
    const { directory } = keyring();
    return createIngress(
      { version: '1', auth, host, port: 0, allowedHosts: [] },
      {
        directory,
        catalog: new Map(),
        callTool: async () => '',
        cancellations: aChannel(),
        sessions: someSessions(7),
        onRequest: () => undefined,
        onProblem: () => undefined,
      },
    );
  }
});

describe('a request', () => {
  test('from a foreign Host or Origin gets 403', async () => {
    await using mesh = await startIngress({}, { allowedHosts: ['Mesh.Example'] });
    const headers = (extra: Record<string, string>) => ({
      method: 'POST',
      body: JSON.stringify(call),
      headers: {
        authorization: `Bearer ${mesh.key}`,
        'content-type': 'application/json',
        ...extra,
      },
    });
    const status = async (extra: Record<string, string>) =>
      (await rawRequest(mesh.mcp, headers(extra))).status;
    expect(await status({ host: 'evil.example' })).toBe(403);
    expect(await status({ host: 'mesh.example' })).toBe(200);
    expect(await status({ host: 'localhost:1' })).toBe(200);
    expect(await status({ origin: 'https://evil.example' })).toBe(403);
    expect(await status({ origin: 'null' })).toBe(403);
    expect(await status({ origin: 'https://mesh.example' })).toBe(200);
    expect(await status({ origin: 'http://localhost:6274' })).toBe(200);
    const elsewhere = new URL('/elsewhere', mesh.mcp).href;
    expect((await rawRequest(elsewhere, { headers: { host: 'evil.example' } })).status).toBe(403);
  });

  test('by another method gets 405 and the one that works', async () => {
    await using mesh = await startIngress();
    for (const method of ['GET', 'DELETE', 'PUT', 'PATCH', 'OPTIONS', 'HEAD']) {
      const response = await rawRequest(mesh.mcp, { method });
      expect([method, response.status, response.headers['allow']]).toEqual([method, 405, 'POST']);
    }
  });

  test('of another path gets 404 in JSON', async () => {
    await using mesh = await startIngress();
    for (const path of [
      '/',
      '/mcp/',
      '/healthz',
      '/metrics',
      '/.well-known/oauth-protected-resource',
    ]) {
      const response = await rawRequest(new URL(path, mesh.mcp).href);
      expect([path, response.status, JSON.parse(response.body)]).toEqual([
        path,
        404,
        { error: 'Not found' },
      ]);
    }
    const posted = await rawRequest(new URL('/other', mesh.mcp).href, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{broken',
    });
    expect(posted.status).toBe(404);
  });

  test('that is not JSON gets 415 or a parse error', async () => {
    await using mesh = await startIngress();
    expect((await post(mesh, call, { 'content-type': 'text/plain' })).status).toBe(415);
    expect(
      (await post(mesh, call, { 'content-type': 'application/json; charset=utf-8' })).status,
    ).toBe(200);
    for (const body of ['{"jsonrpc":', '', 'null x']) {
      const response = await post(mesh, body);
      expect(response.status).toBe(400);
      expect(await response.json()).toMatchObject({ id: null, error: { code: -32_700 } });
    }
    const notUtf8 = await fetch(mesh.mcp, {
      method: 'POST',
      headers: { authorization: `Bearer ${mesh.key}`, 'content-type': 'application/json' },
      body: new Uint8Array([0x22, 0xff, 0x22]),
    });
    expect((await messageOf(notUtf8)).error.code).toBe(-32_700);
  });

  test('that is JSON but no message gets an invalid request', async () => {
    await using mesh = await startIngress();
    for (const body of ['null', '7', '"x"', '{}', '{"jsonrpc":"1.0","id":1,"method":"ping"}']) {
      const response = await post(mesh, body);
      expect([body, response.status]).toEqual([body, 400]);
      expect((await messageOf(response)).error.code).toBe(-32_600);
    }
  });

  test('that is a batch is refused in both eras', async () => {
    await using mesh = await startIngress();
    const { body, headers } = modern('tools/list');
    for (const response of [
      await post(mesh, [call, call]),
      await post(mesh, []),
      await post(mesh, [body], headers),
    ]) {
      expect(response.status).toBe(400);
      expect(await response.json()).toEqual({
        jsonrpc: '2.0',
        id: null,
        error: { code: -32_600, message: 'Batches are not supported' },
      });
    }
  });

  test('nested to any depth leaves the ingress standing', async () => {
    await using mesh = await startIngress({
      callTool: async ({ arguments: given }) => textResult(JSON.stringify(given).slice(0, 1)),
    });
    const deep = '['.repeat(mib) + ']'.repeat(mib);
    const response = await post(
      mesh,
      `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"kv_get","arguments":{"key":${deep}}}}`,
    );
    expect((await messageOf(response)).error).toBeDefined();
    expect((await post(mesh, call)).status).toBe(200);
  });
});

describe('a body', () => {
  const large = (bytes: number) => JSON.stringify(legacyCall('kv_get', { key: 'x'.repeat(bytes) }));

  test('just under 4 MiB arrives whole', async () => {
    let length = 0;
    await using mesh = await startIngress({
      async callTool({ arguments: given }) {
        length = String(given['key']).length;
        return textResult('');
      },
    });
    expect((await post(mesh, large(4 * mib - 200))).status).toBe(200);
    expect(length).toBe(4 * mib - 200);
  });

  test.each([5, 20])('of %i MiB gets 413, and the next call works', async (size) => {
    await using mesh = await startIngress();
    const response = await post(mesh, large(size * mib));
    expect(response.status).toBe(413);
    expect(response.headers.get('connection')).toBe('close');
    expect(await response.json()).toMatchObject({ jsonrpc: '2.0', id: null, error: {} });
    expect((await post(mesh, call)).status).toBe(200);
  });

  test('of an unknown caller is not waited for', async () => {
    await using mesh = await startIngress();
    const response = await post(mesh, large(3 * mib), { authorization: undefined });
    expect(response.status).toBe(401);
    expect((await post(mesh, call)).status).toBe(200);
  });

  test('of 5 MiB that does not say so gets 413 without a reset', async () => {
    await using mesh = await startIngress();
    const { port } = new URL(mesh.mcp);
    const socket = connect(Number(port), '127.0.0.1');
    socket.write(
      `POST /mcp HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer ${mesh.key}\r\n` +
        'content-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n',
    );
    const chunk = `${(65_536).toString(16)}\r\n${'x'.repeat(65_536)}\r\n`;
    for (let sent = 0; sent < 5 * mib; sent += 65_536) {
      if (!socket.write(chunk)) await once(socket, 'drain');
    }
    socket.write('0\r\n\r\n');
    let text = '';
    socket.setEncoding('utf8').on('data', (data) => (text += data));
    await once(socket, 'end');
    expect(text).toMatch(/^HTTP\/1\.1 413 /);
    expect(text).toContain('4 MiB');
  });

  test('that comes too slowly gets 408', async () => {
    await using mesh = await startIngress({}, { requestTimeoutMs: 200 });
    const { port } = new URL(mesh.mcp);
    const socket = connect(Number(port), '127.0.0.1');
    socket.write(
      `POST /mcp HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer ${mesh.key}\r\n` +
        'content-type: application/json\r\ncontent-length: 100\r\n\r\n{',
    );
    let text = '';
    socket.setEncoding('utf8').on('data', (data) => (text += data));
    await once(socket, 'close');
    expect(text).toMatch(/^HTTP\/1\.1 408 /);
    expect((await post(mesh, call)).status).toBe(200);
  });
});

describe('the record of a request', () => {
  test('names method, tool, tenant and status, and nothing the client sent besides', async () => {
    await using mesh = await startIngress({
      callTool: () => Promise.reject(new Fault('overloaded', 'Not now')),
    });
    await (await post(mesh, legacyCall('kv_get', { key: 'secret' }))).text();
    await (await post(mesh, legacyCall('secret-tool'))).text();
    await (await post(mesh, { jsonrpc: '2.0', id: 1, method: 'secret method!' })).text();
    await (await post(mesh, call, { authorization: undefined })).text();
    while (mesh.records.length < 4) await once(mesh.requests, 'record');
    expect(mesh.records).toMatchObject([
      { method: 'tools/call', tool: 'kv_get', tenant: 'acme', status: 503 },
      { method: 'tools/call', tenant: 'acme', status: 200 },
      { tenant: 'acme' },
      { status: 401 },
    ]);
    expect(JSON.stringify(mesh.records)).not.toContain('secret');
  });
});

test('a request counts as in flight until it has its answer', async () => {
  const held = Promise.withResolvers<string>();
  await using mesh = await startIngress({ callTool: () => held.promise });
  const calling = post(mesh, call);
  await expect.poll(() => mesh.ingress.inFlight).toBe(1);
  held.resolve(textResult(''));
  await (await calling).text();
  await expect.poll(() => mesh.ingress.inFlight).toBe(0);
});
