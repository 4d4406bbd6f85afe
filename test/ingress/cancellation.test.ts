import { EventEmitter, once } from 'node:events';
import { connect } from 'node:net';
import { describe, expect, test } from 'vitest';
import { Fault } from '../../shared/faults.ts';
import type { CallTool } from '../../services/ingress/tool-call.ts';
import {
  aChannel,
  aPrincipal,
  legacyCall,
  messageOf,
  modern,
  post,
  someSessions,
  startIngress,
  textResult,
} from './an-ingress.ts';

/** Calls that end when the test says so, or with the fault of their cancel. */
function heldCalls() {
  const begun = Promise.withResolvers<void>();
  const calls = new EventEmitter();
  const finish = Promise.withResolvers<string>();
  const ended = Promise.withResolvers<'finished' | 'cancelled'>();
  let aborts = 0;
  let count = 0;
  const callTool: CallTool = ({ signal }) => {
    count += 1;
    calls.emit('call');
    begun.resolve();
    return new Promise((resolve, reject) => {
      signal.addEventListener('abort', () => {
        aborts += 1;
        ended.resolve('cancelled');
        reject(signal.reason);
      });
      void (async () => {
        resolve(await finish.promise);
        ended.resolve('finished');
      })();
    });
  };
  return {
    callTool,
    begun: begun.promise,
    ended: ended.promise,
    finish: () => finish.resolve(textResult('done')),
    aborts: () => aborts,
    count: () => count,
    next: () => once(calls, 'call'),
  };
}

describe('a client that leaves', () => {
  test('cancels its call in the 2026-07-28 era', async () => {
    const held = heldCalls();
    await using mesh = await startIngress({ callTool: held.callTool });
    const { body, headers } = modern('tools/call', { name: 'kv_get' });
    const leave = new AbortController();
    const left = post(mesh, body, headers, leave.signal).catch(() => 'left');
    await held.begun;
    leave.abort();
    expect(await left).toBe('left');
    expect(await held.ended).toBe('cancelled');
    if (mesh.records.length === 0) await once(mesh.requests, 'record');
    expect(mesh.records).toMatchObject([{ status: 499, tool: 'kv_get' }]);
    expect(mesh.problems).toEqual([]);
  });

  test('does not cancel its call in the older era', async () => {
    const held = heldCalls();
    await using mesh = await startIngress({ callTool: held.callTool });
    const leave = new AbortController();
    const left = post(mesh, legacyCall('kv_get'), {}, leave.signal).catch(() => 'left');
    await held.begun;
    leave.abort();
    await left;
    if (mesh.records.length === 0) await once(mesh.requests, 'record');
    held.finish();
    expect(await held.ended).toBe('finished');
    expect(held.aborts()).toBe(0);
  });

  test('after its answer cancels nothing', async () => {
    const held = heldCalls();
    await using mesh = await startIngress({ callTool: held.callTool });
    held.finish();
    const { body, headers } = modern('tools/call', { name: 'kv_get' });
    await (await post(mesh, body, { ...headers, connection: 'close' })).text();
    while (mesh.records.length < 1) await once(mesh.requests, 'record');
    expect(held.aborts()).toBe(0);
  });
});

describe('a cancel by notification', () => {
  test('reaches the ingress that holds the call, whichever took the notification', async () => {
    const cancellations = aChannel();
    const held = heldCalls();
    const sessions = someSessions(7);
    await using holder = await startIngress({ cancellations, sessions, callTool: held.callTool });
    const { directory } = holder.keys;
    await using other = await startIngress({ cancellations, sessions, directory });
    const { client, transport } = await holder.oldClient();
    const calling = client.callTool({ name: 'kv_get', arguments: {} }).catch(() => 'rejected');
    await held.begun;

    const id = 2; // initialize 0, notification, call 1: read what the client really used
    for (const requestId of [0, 1, id]) {
      const response = await post(
        { ...other, key: holder.key },
        { jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId } },
        { 'mcp-session-id': transport.sessionId ?? '', 'mcp-protocol-version': '2025-11-25' },
      );
      expect(response.status).toBe(202);
    }
    expect(await held.ended).toBe('cancelled');
    await calling;
  });

  test.each(['v1', 'v2'] as const)(
    'is sent by the %s client when its caller aborts',
    async (kind) => {
      const held = heldCalls();
      await using mesh = await startIngress({ callTool: held.callTool });
      const leave = new AbortController();
      const params = { name: 'kv_get', arguments: {} };
      const options = { signal: leave.signal };
      const calling =
        kind === 'v1'
          ? (await mesh.oldClient()).client.callTool(params, undefined, options)
          : (await mesh.client('legacy')).callTool(params, options);
      const settled = calling.catch((error: unknown) => String(error));
      await held.begun;
      leave.abort('enough');
      expect(await held.ended).toBe('cancelled');
      expect(await settled).toContain('enough');
    },
  );

  test('tells 1 from "1", and one session from another', async () => {
    const cancellations = aChannel();
    const held = heldCalls();
    await using mesh = await startIngress({ cancellations, callTool: held.callTool });
    const session = await openSession(mesh);
    const calling = post(mesh, legacyCall('kv_get', {}, 1), { 'mcp-session-id': session });
    await held.begun;
    const cancel = (requestId: unknown, id: string) =>
      post(
        mesh,
        { jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId } },
        { 'mcp-session-id': id },
      );
    await cancel('1', session);
    await cancel(2, session);
    await cancel('x'.repeat(100_000), session);
    await cancel({ toString: 1 }, session);
    await cancel(1, await openSession(mesh));
    expect(held.aborts()).toBe(0);
    expect(cancellations.published.every((key) => key.length < 200)).toBe(true);
    await cancel(1, session);
    expect(await held.ended).toBe('cancelled');
    const response = await calling;
    expect(response.status).toBe(499);
    expect((await messageOf(response)).error.data['agent-mesh/fault']).toBe('cancelled');
  });

  test('is accepted although nobody can be told', async () => {
    const broken = { ...aChannel(), publish: () => Promise.reject(new Error('no Redis')) };
    await using mesh = await startIngress({ cancellations: broken });
    const response = await post(
      mesh,
      { jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 1 } },
      { 'mcp-session-id': await openSession(mesh) },
    );
    expect(response.status).toBe(202);
    expect(mesh.problems).toHaveLength(1);
  });
});

describe('a session', () => {
  const list = { jsonrpc: '2.0', id: 'five', method: 'tools/list' };

  test('works at every ingress with the key, and at none without', async () => {
    const sessions = someSessions(7);
    await using one = await startIngress({ sessions });
    const { directory } = one.keys;
    await using two = await startIngress({ directory, sessions });
    const foreignSessions = { ...sessions, keys: someSessions(8).keys };
    await using foreign = await startIngress({ directory, sessions: foreignSessions });
    const headers = { 'mcp-session-id': await openSession(one) };
    expect((await post({ ...two, key: one.key }, list, headers)).status).toBe(200);
    expect((await post({ ...foreign, key: one.key }, list, headers)).status).toBe(404);
  });

  test('that is forged, or of another tenant or user, is not found', async () => {
    await using mesh = await startIngress();
    const session = await openSession(mesh);
    const [payload = '', keyId = '', mark = ''] = session.split('.');
    const claims = JSON.parse(Buffer.from(payload, 'base64url').toString());
    const stolen = Buffer.from(JSON.stringify({ ...claims, t: 'globex' })).toString('base64url');
    const globex = mesh.keys.issue(aPrincipal('globex'));
    const colleague = mesh.keys.issue(aPrincipal('acme', { id: 'bob' }));
    const attempts: readonly (readonly [string, string])[] = [
      [globex, session],
      [colleague, session],
      [globex, `${stolen}.${keyId}.${mark}`],
      [mesh.key, payload],
      [mesh.key, `${payload}.${keyId}`],
      [mesh.key, `${payload}.${keyId}.`],
      [mesh.key, `${payload}.other.${mark}`],
      [mesh.key, `${session}.x`],
      [mesh.key, 'x'],
      [mesh.key, 'x'.repeat(5_000)],
      [mesh.key, `${payload}.${keyId}.${'A'.repeat(43)}`],
    ];
    for (const [key, id] of attempts) {
      const response = await post({ ...mesh, key }, list, { 'mcp-session-id': id });
      expect(response.status).toBe(404);
      expect(await response.json()).toEqual({
        jsonrpc: '2.0',
        id: 'five',
        error: { code: -32_001, message: 'Session not found' },
      });
    }
    expect((await post(mesh, list, { 'mcp-session-id': session })).status).toBe(200);
  });

  test('is closed by its owner alone, and never given to a modern client', async () => {
    await using mesh = await startIngress();
    const session = await openSession(mesh);
    const close = (key: string) =>
      fetch(mesh.mcp, {
        method: 'DELETE',
        headers: { authorization: `Bearer ${key}`, 'mcp-session-id': session },
      });
    expect((await close(mesh.keys.issue(aPrincipal('globex')))).status).toBe(404);
    expect((await close('nobody')).status).toBe(401);
    expect((await close(mesh.key)).status).toBe(200);
    expect((await close(mesh.key)).status).toBe(404);
    expect((await post(mesh, list, { 'mcp-session-id': session })).status).toBe(404);
    const { body, headers } = modern('server/discover');
    const discovered = await post(mesh, body, { ...headers, 'mcp-session-id': 'whatever' });
    expect(discovered.status).toBe(200);
    expect(discovered.headers.get('mcp-session-id')).toBeNull();
  });
});

describe('a client that never reads', () => {
  test('is cut off, and its call is not held up by it', async () => {
    const text = 'x'.repeat(8_000_000);
    await using mesh = await startIngress(
      {
        async callTool({ onProgress }) {
          for (let progress = 1; progress <= 50; progress += 1) {
            onProgress?.({
              id: 'i-aaaaaaaaaaaaaaaaaaaaaa' as never,
              status: 'progress',
              progress,
              message: text.slice(0, 200_000),
            });
            await new Promise(setImmediate);
          }
          return textResult(text);
        },
      },
      { stallMs: 300 },
    );
    const { port } = new URL(mesh.mcp);
    const bodies = [
      { ...legacyCall('kv_get'), params: { name: 'kv_get', _meta: { progressToken: 1 } } },
      modern('tools/call', { name: 'kv_get', _meta: { progressToken: 1 } }),
      modern('tools/call', { name: 'kv_get' }),
    ];
    for (const entry of bodies) {
      const { body, headers } = 'headers' in entry ? entry : { body: entry, headers: {} };
      const json = JSON.stringify(body);
      const socket = connect(Number(port), '127.0.0.1').pause();
      socket.on('error', () => undefined);
      const lines = Object.entries({
        host: 'localhost',
        authorization: `Bearer ${mesh.key}`,
        'content-type': 'application/json',
        accept: 'application/json, text/event-stream',
        'content-length': String(json.length),
        ...headers,
      }).map(([name, value]) => `${name}: ${value}\r\n`);
      socket.write(`POST /mcp HTTP/1.1\r\n${lines.join('')}\r\n${json}`);
      await once(mesh.requests, 'record');
      expect(mesh.records.at(-1)).toMatchObject({ status: 499, tool: 'kv_get' });
      socket.destroy();
    }
    expect((await post(mesh, { jsonrpc: '2.0', id: 1, method: 'ping' })).status).toBe(200);
  });
});

describe('a drain', () => {
  test('answers what was accepted, takes nothing new, and closes', async () => {
    const held = heldCalls();
    await using mesh = await startIngress({ callTool: held.callTool });
    const { body, headers } = modern('tools/call', { name: 'kv_get' });
    const accepted = [post(mesh, body, headers), post(mesh, legacyCall('kv_get'))];
    while (held.count() < 2) await held.next();
    expect(mesh.ingress.isDraining).toBe(false);
    const drained = mesh.ingress.drain(10_000);
    expect(mesh.ingress.isDraining).toBe(true);
    await expect.poll(() => post(mesh, legacyCall('kv_get')).catch(String)).toMatch(/fetch failed/);
    held.finish();
    for (const answer of await Promise.all(accepted)) {
      expect(answer.headers.get('connection')).toBe('close');
      expect((await messageOf(answer)).result.content[0]?.text).toBe('done');
    }
    await drained;
    expect(held.aborts()).toBe(0);
  });

  test('refuses a request that was on its way, with a waiting time', async () => {
    const held = heldCalls();
    await using mesh = await startIngress({ callTool: held.callTool });
    const accepted = post(mesh, legacyCall('kv_get'));
    await held.begun;
    const { port } = new URL(mesh.mcp);
    const socket = connect(Number(port), '127.0.0.1');
    let text = '';
    socket.setEncoding('utf8').on('data', (data) => (text += data));
    const ping = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'ping' });
    const head =
      `POST /mcp HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer ${mesh.key}\r\n` +
      `content-type: application/json\r\naccept: */*\r\ncontent-length: ${ping.length}\r\n`;
    socket.write(`${head}\r\n${ping}${head}`);
    await once(mesh.requests, 'record');
    const drained = mesh.ingress.drain(10_000);
    socket.write(`\r\n${ping}`);
    await once(socket, 'close');
    expect(text).toMatch(/^HTTP\/1\.1 200 /);
    expect(text).toMatch(/HTTP\/1\.1 503 [^]*retry-after: 1/i);
    held.finish();
    expect((await accepted).status).toBe(200);
    await drained;
  });

  test('ends after its time although a call does not', async () => {
    const held = heldCalls();
    await using mesh = await startIngress({ callTool: held.callTool });
    const cut = post(mesh, legacyCall('kv_get')).catch(() => 'cut');
    await held.begun;
    await mesh.ingress.drain(50);
    expect(await cut).toBe('cut');
    held.finish();
  });
});

test('the reason of a cancel is a fault', async () => {
  let reason: unknown;
  await using mesh = await startIngress({
    callTool: ({ signal }) =>
      new Promise((_, reject) => {
        signal.addEventListener('abort', () => {
          reason = signal.reason;
          reject(signal.reason);
        });
        leave.abort();
      }),
  });
  const leave = new AbortController();
  const { body, headers } = modern('tools/call', { name: 'kv_get' });
  await post(mesh, body, headers, leave.signal).catch(() => undefined);
  if (reason === undefined) await once(mesh.requests, 'record');
  expect(reason).toBeInstanceOf(Fault);
  expect(reason).toMatchObject({ code: 'cancelled' });
});

async function openSession(mesh: { mcp: string; key: string }): Promise<string> {
  const response = await post(mesh, {
    jsonrpc: '2.0',
    id: 0,
    method: 'initialize',
    params: {
      protocolVersion: '2025-11-25',
      capabilities: {},
      clientInfo: { name: 'raw', version: '1' },
    },
  });
  await response.text();
  return response.headers.get('mcp-session-id') ?? '';
}
