import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { Client as LegacyClient } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport as LegacyTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { mayUse, Tenant, User } from '../../shared/tenants/tenant.ts';
import { createCatalog } from '../../shared/tools/catalog.ts';
import { resultOf, type Endpoint } from '../support/call.ts';
import { startTestCluster, type TestCluster } from '../support/cluster.ts';
import { createKey } from '../support/keys.ts';

const unlimited = '{ requestsPerMinute: 100000, userRequestsPerMinute: 100000 }';
const tenants = `
tenants:
  - { id: acme, limits: ${unlimited}, users: [{ id: ann }, { id: vic, role: Viewer }] }
  - { id: globex, limits: ${unlimited}, users: [{ id: gus, role: Admin }] }
`;

let cluster: TestCluster;
let acme: Endpoint;
let globex: Endpoint;

beforeAll(async () => {
  cluster = await startTestCluster({ tenants });
  acme = { mcp: cluster.mcp, apiKey: await createKey(cluster, 'acme', 'ann') };
  globex = { mcp: cluster.mcp, apiKey: await createKey(cluster, 'globex', 'gus') };
});
afterAll(() => cluster[Symbol.asyncDispose]());

const bearer = ({ apiKey = '' }: Endpoint) => ({
  requestInit: { headers: { authorization: `Bearer ${apiKey}` } },
});

/** What a User may use, in catalog order; the original's six come first. */
const principal = {
  tenant: Tenant.parse({ id: 'acme', name: 'Acme' }),
  user: User.parse({ id: 'ann' }),
};
const allowed = [...createCatalog({ diagnostics: false }).values()]
  .filter(({ permission }) => mayUse(principal, permission))
  .map(({ name }) => name);

describe('every client', () => {
  test('sees the six tools of the original first', () => {
    expect(allowed.slice(0, 6)).toEqual([
      ...['kv_get', 'kv_set', 'artifacts_get', 'artifacts_put', 'artifacts_list', 'events_send'],
    ]);
  });

  test('of 2026-07-28 lists and calls through the v2 SDK', async () => {
    const client = new Client(
      { name: 'test', version: '1' },
      { versionNegotiation: { mode: { pin: '2026-07-28' } } },
    );
    await client.connect(new StreamableHTTPClientTransport(new URL(acme.mcp), bearer(acme)));
    const { tools } = await client.listTools();
    expect(tools.map(({ name }) => name)).toEqual(allowed);
    const set = { name: 'kv_set', arguments: { key: 'modern', value: 'yes' } };
    expect((await client.callTool(set)).structuredContent).toEqual({ success: true });
    const get = { name: 'kv_get', arguments: { key: 'modern' } };
    const result = await client.callTool(get);
    expect(result.structuredContent).toEqual({ value: 'yes' });
    expect(result.content).toEqual([{ type: 'text', text: '{"value":"yes"}' }]);
    await client.close();
  });

  test('of 2025-11-25 lists and calls through the v1 SDK', async () => {
    const client = new LegacyClient({ name: 'test', version: '1' });
    await client.connect(new LegacyTransport(new URL(acme.mcp), bearer(acme)));
    expect((await client.listTools()).tools.map(({ name }) => name)).toEqual(allowed);
    await client.callTool({ name: 'kv_set', arguments: { key: 'legacy', value: 'yes' } });
    const get = { name: 'kv_get', arguments: { key: 'legacy' } };
    expect((await client.callTool(get)).structuredContent).toEqual({ value: 'yes' });
    await client.close();
  });

  test('calls with nothing but curl', async () => {
    const body = {
      jsonrpc: '2.0',
      id: 1,
      method: 'tools/call',
      params: { name: 'kv_get', arguments: { key: 'nothing there' } },
    };
    const { stdout } = await promisify(execFile)('curl', [
      ...['-s', acme.mcp, '-H', `Authorization: Bearer ${acme.apiKey}`],
      ...['-H', 'Content-Type: application/json', '-d', JSON.stringify(body)],
    ]);
    expect(stdout).toContain('"structuredContent":{"value":null}');
  });
});

describe('the tools', () => {
  test('give back an artifact byte for byte', async () => {
    const content = Buffer.from(Array.from({ length: 70_000 }, (_, i) => i % 256)).toString(
      'base64',
    );
    const key = 'bin/ä 100%+🐎';
    await resultOf(acme, 'artifacts_put', { key, content, content_type: 'image/png' });
    expect(await resultOf(acme, 'artifacts_get', { key })).toEqual({ content, encoding: 'base64' });
    expect(await resultOf(acme, 'artifacts_list', { prefix: 'bin/' })).toEqual({ keys: [key] });
    expect(await resultOf(acme, 'artifacts_get', { key: 'missing' })).toEqual({ content: null });
  });

  test('send an event', async () => {
    const event = { detailType: 'order.placed', detail: { id: 7, nested: { deep: [1, null] } } };
    expect(await resultOf(acme, 'events_send', event)).toEqual({ success: true });
  });

  test('let a value expire', async () => {
    await resultOf(acme, 'kv_set', { key: 'brief', value: 'x', ttl_hours: 0.3 / 3_600 });
    await expect
      .poll(() => resultOf(acme, 'kv_get', { key: 'brief' }), { timeout: 3_000 })
      .toEqual({ value: null });
  });
});

describe('two tenants with the same keys', () => {
  test('never see each other', async () => {
    const key = 'shared/name';
    await resultOf(acme, 'kv_set', { key, value: 'of acme' });
    await resultOf(globex, 'kv_set', { key, value: 'of globex' });
    expect(await resultOf(acme, 'kv_get', { key })).toEqual({ value: 'of acme' });
    expect(await resultOf(globex, 'kv_get', { key })).toEqual({ value: 'of globex' });

    const bytes = (text: string): string => Buffer.from(text).toString('base64');
    await resultOf(acme, 'artifacts_put', { key, content: bytes('of acme') });
    await resultOf(globex, 'artifacts_put', { key: 'own', content: bytes('of globex') });
    expect(await resultOf(globex, 'artifacts_get', { key })).toEqual({ content: null });
    expect(await resultOf(globex, 'artifacts_list', {})).toEqual({ keys: ['own'] });
    expect(await resultOf(globex, 'artifacts_list', { prefix: 'acme/' })).toEqual({ keys: [] });
  });
});
