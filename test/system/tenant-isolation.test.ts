import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { callTool, post, resultOf, rpc, type Answer, type Endpoint } from '../support/call.ts';
import { startTestCluster, type TestCluster } from '../support/cluster.ts';
import { createKey } from '../support/keys.ts';

const many = 'requestsPerMinute: 100000, userRequestsPerMinute: 100000';
const tenants = `
tenants:
  - { id: acme, limits: { ${many} }, users: [{ id: ann, role: Admin }] }
  - { id: globex, limits: { ${many} }, users: [{ id: gus, role: Admin }, { id: ann, role: Admin }] }
  - { id: metered, limits: { requestsPerMinute: 5 }, users: [{ id: max }] }
`;
/** In everything of acme; nobody else may see it. */
const secret = 'sesame-open-3141';
const bytes = Buffer.from(secret).toString('base64');

let cluster: TestCluster;
let acme: Endpoint;
/** An Admin of another tenant, and one whose user id is the same as that of acme's. */
let others: readonly Endpoint[];
let session: string;
let taskId: string;

const extensions = { 'io.modelcontextprotocol/tasks': {} };
const modern = {
  'io.modelcontextprotocol/protocolVersion': '2026-07-28',
  'io.modelcontextprotocol/clientCapabilities': { extensions },
};

function modernRpc(
  endpoint: Endpoint,
  method: string,
  params: Readonly<Record<string, unknown>>,
): Promise<Answer> {
  const named = [params['name'], params['uri'], params['taskId']];
  const body = { jsonrpc: '2.0', id: 1, method, params: { ...params, _meta: modern } };
  return post(endpoint, JSON.stringify(body), {
    'mcp-protocol-version': '2026-07-28',
    'mcp-method': method,
    'mcp-name': named.find((each) => typeof each === 'string') ?? '',
  });
}

const keyed = { 'agent-mesh/idempotencyKey': 'the same' };

beforeAll(async () => {
  cluster = await startTestCluster({
    ingresses: 2,
    diagnostics: true,
    tenants,
    environment: { TASK_AFTER_MS: '200' },
  });
  const endpoint = async (tenant: string, user: string): Promise<Endpoint> => ({
    mcp: cluster.mcp,
    apiKey: await createKey(cluster, tenant, user),
  });
  acme = await endpoint('acme', 'ann');
  others = [await endpoint('globex', 'gus'), await endpoint('globex', 'ann')];

  await resultOf(acme, 'kv_set', { key: secret, value: secret });
  await resultOf(acme, 'artifacts_put', { key: secret, content: bytes });
  const credential = { service: secret, connection: secret, secret };
  await resultOf(acme, 'credentials_put', credential);
  await callTool(acme, 'diagnostics_echo', { text: secret }, keyed);
  const initialize = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: {} };
  const client = { ...initialize, clientInfo: { name: 'test', version: '1' } };
  session = String((await rpc(acme, 'initialize', client)).headers['mcp-session-id']);
  const sleep = { name: 'diagnostics_sleep', arguments: { ms: 1_000 } };
  const { text } = await modernRpc(acme, 'tools/call', sleep);
  taskId = /"taskId":"([^"]+)"/.exec(text)?.[1] ?? '';
}, 60_000);
afterAll(() => cluster[Symbol.asyncDispose]());

type Attempt = (as: Endpoint) => Promise<Answer>;
const tool =
  (name: string, args: Readonly<Record<string, unknown>>): Attempt =>
  (as) =>
    callTool(as, name, args);

const attempts: readonly (readonly [what: string, attempt: Attempt])[] = [
  ['read a value', tool('kv_get', { key: secret })],
  ['delete a value', tool('kv_delete', { key: secret })],
  ['list values', tool('kv_list', {})],
  ['list values by prefix', tool('kv_list', { prefix: '../acme' })],
  ['read an artifact', tool('artifacts_get', { key: secret })],
  ['delete an artifact', tool('artifacts_delete', { key: secret })],
  ['list artifacts', tool('artifacts_list', {})],
  ['list artifacts by the tenant’s own prefix', tool('artifacts_list', { prefix: 'acme/' })],
  ['see usage', tool('usage_get', {})],
  ['list credentials', tool('credentials_list', {})],
  ['list dead letters', tool('dead_letters_list', {})],
  ['replay a keyed call', (as) => callTool(as, 'diagnostics_echo', { text: 'own' }, keyed)],
  ['read a resource', (as) => modernRpc(as, 'resources/read', { uri: `mesh://kv/${secret}` })],
  ['list resources', (as) => modernRpc(as, 'resources/list', {})],
  ['read a task', (as) => modernRpc(as, 'tasks/get', { taskId })],
  ['cancel a task', (as) => modernRpc(as, 'tasks/cancel', { taskId })],
  [
    'use a session',
    (as) =>
      post(as, JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/list' }), {
        'mcp-session-id': session,
      }),
  ],
  [
    'name the tenant in the envelope',
    (as) =>
      post(
        as,
        JSON.stringify({
          ...{ jsonrpc: '2.0', id: 1, method: 'tools/call', tenant_id: 'acme', user_id: 'ann' },
          params: { name: 'kv_get', arguments: { key: secret } },
        }),
      ),
  ],
];

describe('another tenant', () => {
  test.each(attempts)('cannot %s of this one', async (_what, attempt) => {
    for (const other of others) {
      const { text } = await attempt(other);
      // What was asked for may come back; what acme has under it may not.
      expect(text).not.toContain(bytes);
      expect(text).not.toMatch(new RegExp(`"(value|text|name)":\\s*"[^"]*${secret}`));
      expect(text).not.toContain('acme');
    }
    expect(await resultOf(acme, 'kv_get', { key: secret })).toEqual({ value: secret });
    const artifact = await resultOf(acme, 'artifacts_get', { key: secret });
    expect(artifact).toEqual({ content: bytes, encoding: 'base64' });
  });

  test('gets the same answer for a session and a task that exist as for ones that do not', async () => {
    const [other] = others;
    if (!other) throw new Error('one other');
    const list = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/list' });
    const foreign = await post(other, list, { 'mcp-session-id': session });
    const invented = await post(other, list, { 'mcp-session-id': 'invented' });
    expect([foreign.status, foreign.text]).toEqual([invented.status, invented.text]);
    const task = await modernRpc(other, 'tasks/get', { taskId });
    const none = await modernRpc(other, 'tasks/get', { taskId: `i-${'A'.repeat(22)}` });
    expect([task.status, task.text.replaceAll(taskId, 'x')]).toEqual([
      none.status,
      none.text.replaceAll(`i-${'A'.repeat(22)}`, 'x'),
    ]);
  });

  test('is not named on any admin port', async () => {
    for (const { ready } of [...cluster.ingresses, ...cluster.workers]) {
      for (const path of ['healthz', 'readyz', 'metrics']) {
        const text = await (await fetch(`${ready.admin}/${path}`)).text();
        expect(text).not.toMatch(/acme|globex/);
      }
    }
  });
});

test('two ingresses admit one limit, not two', async () => {
  const apiKey = await createKey(cluster, 'metered', 'max');
  const answers = await Promise.all(
    Array.from({ length: 12 }, (_, i) =>
      callTool({ mcp: cluster.ingresses[i % 2]?.ready.mcp ?? '', apiKey }, 'diagnostics_echo', {
        text: 'x',
      }),
    ),
  );
  const codes = answers.map(({ message }) => message?.result?._meta?.['agent-mesh/fault']);
  expect(codes.filter((code) => code === undefined)).toHaveLength(5);
  expect(codes.filter((code) => code === 'quota_exceeded')).toHaveLength(7);
});
