import { describe, expect, test } from 'vitest';
import { Fault } from '../../shared/faults.ts';
import type { ToolCall } from '../../services/ingress/tool-call.ts';
import { createCatalog } from '../../shared/tools/catalog.ts';
import {
  aPrincipal,
  legacyCall,
  messageOf,
  modern,
  post,
  startIngress,
  textResult,
} from './an-ingress.ts';

const catalog = createCatalog({ diagnostics: true });
const everything = [...catalog.keys()];

describe('both eras', () => {
  test.each(['auto', 'legacy'] as const)('list and call with the v2 client in %s', async (mode) => {
    await using mesh = await startIngress();
    const client = await mesh.client(mode);

    expect(client.getServerVersion()).toMatchObject({ name: 'agent-mesh', version: '9.9.9' });
    expect((await client.listTools()).tools.map(({ name }) => name)).toEqual(everything);
    const result = await client.callTool({ name: 'diagnostics_echo', arguments: { text: 'a' } });
    expect(result.content).toEqual([{ type: 'text', text: 'diagnostics_echo' }]);
    expect(result.structuredContent).toEqual({ text: 'diagnostics_echo' });
  });

  test('list, call and ping with the v1 client', async () => {
    await using mesh = await startIngress({
      callTool: async () => JSON.stringify({ content: [], structuredContent: { value: null } }),
    });
    const { client } = await mesh.oldClient();

    expect((await client.listTools()).tools.map(({ name }) => name)).toEqual(everything);
    const result = await client.callTool({ name: 'kv_get', arguments: { key: 'a' } });
    expect(result.structuredContent).toEqual({ value: null });
    await client.ping();
  });

  test('hand the call on as the client made it', async () => {
    const calls: ToolCall[] = [];
    await using mesh = await startIngress({
      async callTool(call) {
        calls.push(call);
        return textResult('');
      },
    });
    const traceparent = `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`;
    const meta = { traceparent, 'agent-mesh/idempotencyKey': 'once' };
    const { body, headers } = modern('tools/call', {
      name: 'kv_get',
      arguments: { key: 'ä' },
      _meta: meta,
    });
    await post(mesh, body, headers);
    await post(mesh, legacyCall('kv_get'), { 'idempotency-key': 'twice', traceparent });
    await post(mesh, legacyCall('kv_get'), { traceparent: '00-zz' });

    expect(calls).toMatchObject([
      { name: 'kv_get', arguments: { key: 'ä' }, idempotencyKey: 'once', traceparent },
      { name: 'kv_get', arguments: {}, idempotencyKey: 'twice', traceparent },
      { idempotencyKey: undefined, traceparent: undefined },
    ]);
    expect(calls[0]?.principal).toMatchObject({ tenant: { id: 'acme' }, user: { id: 'ann' } });
  });

  test('refuse an idempotency key that is empty, long, not ASCII, or given twice', async () => {
    await using mesh = await startIngress();
    const withKey = (key: unknown) =>
      modern('tools/call', { name: 'kv_get', _meta: { 'agent-mesh/idempotencyKey': key } });
    for (const key of ['', 'x'.repeat(256), 'ä', 7]) {
      const { body, headers } = withKey(key);
      const { result } = await messageOf(await post(mesh, body, headers));
      expect(result._meta['agent-mesh/fault']).toBe('invalid_arguments');
    }
    const { body, headers } = withKey('a');
    const { result } = await messageOf(
      await post(mesh, body, { ...headers, 'idempotency-key': 'b' }),
    );
    expect(result._meta['agent-mesh/fault']).toBe('invalid_arguments');
  });

  test('answer a client that takes any media type', async () => {
    await using mesh = await startIngress();
    const response = await post(mesh, legacyCall('kv_get'), { accept: '*/*' });
    expect((await messageOf(response)).result.content[0]?.text).toBe('kv_get');
  });
});

describe('tools/list', () => {
  test('shows each principal what it may use, in catalog order', async () => {
    await using mesh = await startIngress();
    const viewer = await mesh.client(
      'auto',
      mesh.keys.issue(aPrincipal('acme', { role: 'Viewer' })),
    );
    const names = (await viewer.listTools()).tools.map(({ name }) => name);
    expect(names).toEqual(everything.filter((name) => names.includes(name)));
    expect(names).toEqual(expect.arrayContaining(['kv_get', 'artifacts_get', 'artifacts_list']));
    const writing = ['kv_set', 'artifacts_put', 'events_send'];
    expect(everything).toEqual(expect.arrayContaining(writing));
    expect(names.filter((name) => writing.includes(name))).toEqual([]);
  });

  test('is never for a shared cache', async () => {
    await using mesh = await startIngress();
    const { body, headers } = modern('tools/list');
    const { result } = await messageOf(await post(mesh, body, headers));
    expect(result.cacheScope).toBe('private');
    const discover = modern('server/discover');
    const found = await messageOf(await post(mesh, discover.body, discover.headers));
    expect(found.result.cacheScope).toBe('private');
  });
});

describe('a tool that the principal may not use', () => {
  test.each(['modern', 'legacy'] as const)(
    'looks exactly like one that does not exist, whatever the arguments (%s)',
    async (era) => {
      await using mesh = await startIngress();
      const key = mesh.keys.issue(aPrincipal('acme', { role: 'Viewer' }));
      const ask = async (name: string, args: unknown) => {
        const { body, headers } =
          era === 'modern'
            ? modern('tools/call', { name, arguments: args })
            : { body: legacyCall(name, args as object), headers: {} };
        const response = await post({ ...mesh, key }, body, headers);
        const text = (await response.text()).replaceAll(name, 'x');
        return { status: response.status, text };
      };
      for (const args of [{}, { key: 'a', value: 'b' }, 7, undefined]) {
        expect(await ask('kv_set', args)).toEqual(await ask('no_such', args));
      }
      const { text } = await ask('kv_set', {});
      expect(text).toContain('Unknown tool: x');
      expect(text).toContain('-32602');
    },
  );
});

describe('a fault', () => {
  test('of a tool is a result with its code and one waiting time', async () => {
    const faults = [
      new Fault('quota_exceeded', 'Too many', { retryAfterMs: 1_200 }),
      new Fault('backlog_full', 'Full. Retry in 9 s.', { retryAfterMs: 9_000 }),
      new Fault('storage_full', 'Full'),
    ];
    await using mesh = await startIngress({
      callTool: ({ arguments: { key } }) => Promise.reject(faults[Number(key)]),
    });
    const client = await mesh.client();
    const results = [];
    for (const key of [0, 1, 2]) {
      results.push(await client.callTool({ name: 'kv_get', arguments: { key } }));
    }
    expect(results).toMatchObject([
      {
        isError: true,
        content: [{ text: 'Too many. Retry in 2 s.' }],
        _meta: { 'agent-mesh/fault': 'quota_exceeded', 'agent-mesh/retryAfterMs': 1_200 },
      },
      { content: [{ text: 'Full. Retry in 9 s.' }] },
      { content: [{ text: 'Full' }], _meta: { 'agent-mesh/fault': 'storage_full' } },
    ]);
  });

  test('about something too large links to it, for clients that know links', async () => {
    const link = { uri: 'mesh://artifacts/big', name: 'big', mimeType: 'a/b', size: 3_000_000 };
    const fault = new Fault('payload_too_large', 'Too large. Use artifacts_url.', { link });
    for (const plainCalls of [undefined, 'through the SDK'] as const) {
      await using mesh = await startIngress({
        callTool: () => Promise.reject(Fault.fromRecord(fault.toRecord())),
        ...(plainCalls && { plainCalls }),
      });
      const { body, headers } = modern('tools/call', { name: 'kv_get' });
      const text = { type: 'text', text: fault.message };
      const contentOf = async (response: Promise<Response>) =>
        (await messageOf(await response)).result.content;
      expect(await contentOf(post(mesh, body, headers))).toEqual([
        text,
        { type: 'resource_link', ...link },
      ]);
      for (const [version, length] of [
        ['2025-06-18', 2],
        ['2025-03-26', 1],
        [undefined, 1],
      ] as const) {
        const old = post(mesh, legacyCall('kv_get'), { 'mcp-protocol-version': version });
        expect(await contentOf(old)).toHaveLength(length);
      }
    }
  });

  test.each(['modern', 'legacy'] as const)(
    'of the whole service is a status with the id of the request (%s)',
    async (era) => {
      await using mesh = await startIngress({
        callTool: () => Promise.reject(new Fault('overloaded', 'Not now', { retryAfterMs: 2_500 })),
      });
      const { body, headers } =
        era === 'modern'
          ? modern('tools/call', { name: 'kv_get' }, 'seven')
          : { body: legacyCall('kv_get', {}, 'seven'), headers: {} };
      const response = await post(mesh, body, headers);
      expect(response.status).toBe(503);
      expect(response.headers.get('retry-after')).toBe('3');
      expect(response.headers.get('content-type')).toBe('application/json');
      expect(await response.json()).toMatchObject({
        jsonrpc: '2.0',
        id: 'seven',
        error: { message: 'Not now', data: { 'agent-mesh/fault': 'overloaded' } },
      });
    },
  );

  test('of the whole service after progress is an error without its text', async () => {
    await using mesh = await startIngress({
      async callTool({ onProgress }) {
        onProgress?.({ id: 'i-aaaaaaaaaaaaaaaaaaaaaa' as never, status: 'progress', progress: 1 });
        await new Promise((resolve) => setTimeout(resolve, 50));
        throw new Fault('overloaded', 'Not now');
      },
    });
    const { body, headers } = modern('tools/call', { name: 'kv_get', _meta: { progressToken: 1 } });
    const response = await post(mesh, body, headers);
    expect(response.status).toBe(200);
    expect((await messageOf(response)).error).toMatchObject({
      code: -32_603,
      message: 'Unavailable',
    });
  });

  test.each(['auto', 'legacy'] as const)(
    'that nobody foresaw never shows its text, and is told once (%s)',
    async (mode) => {
      const secret = 'connect 10.0.3.7:443 role/internal-secret';
      const cause = new Error(secret);
      await using mesh = await startIngress({ callTool: () => Promise.reject(cause) });
      const client = await mesh.client(mode);
      const failed = client.callTool({ name: 'kv_get', arguments: {} });
      await expect(failed).rejects.toThrow(/Internal error$/);
      await expect(failed).rejects.not.toThrow(secret);
      expect(mesh.problems).toEqual([{ what: 'internal: Internal error', cause }]);
    },
  );

  test.each(['not JSON, with a secret', '{"content": "secret"}'])(
    'of a worker that sends nonsense (%s) shows nothing of it',
    async (nonsense) => {
      await using mesh = await startIngress({ callTool: async () => nonsense });
      const { body, headers } = modern('tools/call', { name: 'kv_get' });
      const text = await (await post(mesh, body, headers)).text();
      expect(JSON.parse(text).error.code).toBeLessThan(0);
      expect(text).not.toContain('secret');
      expect(JSON.stringify(mesh.problems)).not.toContain('secret');
    },
  );
});

describe('progress', () => {
  const steps = [1, 2, 2, 1, 3];
  test.each(['auto', 'legacy'] as const)(
    'reaches a client that asked, strictly increasing (%s)',
    async (mode) => {
      await using mesh = await startIngress({
        async callTool({ onProgress }) {
          for (const progress of steps) {
            onProgress?.({
              id: 'i-aaaaaaaaaaaaaaaaaaaaaa' as never,
              status: 'progress',
              progress,
              total: 3,
              message: `step ${progress}`,
            });
            await new Promise((resolve) => setTimeout(resolve, 5));
          }
          return textResult('done');
        },
      });
      const client = await mesh.client(mode);
      const seen: unknown[] = [];
      const result = await client.callTool(
        { name: 'kv_get', arguments: {} },
        { onprogress: (progress) => seen.push(progress) },
      );
      expect(result.structuredContent).toEqual({ text: 'done' });
      expect(seen).toMatchObject([1, 2, 3].map((progress) => ({ progress, total: 3 })));
    },
  );

  test('is not asked for by a client without a token', async () => {
    let asked: unknown = 'unknown';
    await using mesh = await startIngress({
      async callTool({ onProgress }) {
        asked = onProgress;
        return textResult('');
      },
    });
    const client = await mesh.client();
    await client.callTool({ name: 'kv_get', arguments: {} });
    expect(asked).toBeUndefined();
  });
});

describe('what is not offered', () => {
  test('gets the protocol’s own answer in each era', async () => {
    await using mesh = await startIngress();
    const unknown = modern('no/such');
    const answer = await post(mesh, unknown.body, unknown.headers);
    expect(answer.status).toBe(404);
    expect((await messageOf(answer)).error.code).toBe(-32_601);
    const old = await post(mesh, { jsonrpc: '2.0', id: 1, method: 'logging/setLevel' });
    expect((await messageOf(old)).error.code).toBe(-32_601);
  });

  test('holds no stream open for changes that are never announced', async () => {
    await using mesh = await startIngress();
    const listen = modern('subscriptions/listen', { notifications: { promptsListChanged: true } });
    const response = await post(mesh, listen.body, listen.headers);
    const text = await response.text();
    expect(text).toContain('notifications/subscriptions/acknowledged');
    expect(text).toContain('"notifications":{}');
  });

  test('includes versions and headers that do not agree', async () => {
    await using mesh = await startIngress();
    const { body, headers } = modern('tools/call', { name: 'kv_get' });
    const mismatch = await post(mesh, body, { ...headers, 'mcp-name': 'kv_set' });
    expect(mismatch.status).toBe(400);
    expect((await messageOf(mismatch)).error.code).toBe(-32_020);
    const future = await post(mesh, body, { ...headers, 'mcp-protocol-version': '2030-01-01' });
    expect(future.status).toBe(400);
  });
});
