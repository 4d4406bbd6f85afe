import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { TenantId } from '../../shared/ids.ts';
import { hashApiKey } from '../../shared/tenants/api-keys.ts';
import { callTool, post, resultOf, rpc, type Answer, type Endpoint } from '../support/call.ts';
import { startTestCluster, type TestCluster } from '../support/cluster.ts';
import { sumOverWorkers } from '../support/gauges.ts';
import { announce, createKey, withTenantStore } from '../support/keys.ts';
import { logsOf } from '../support/running-intervals.ts';

const tenants = `
tenants:
  - id: acme
    limits: { requestsPerMinute: 100000, userRequestsPerMinute: 100000 }
    users: [{ id: ann, role: Admin }, { id: vic, role: Viewer }]
  - { id: globex, users: [{ id: gus }] }
`;
/** In every argument of this file; must never be in a log. */
const secret = 'sesame-open-3141';

let cluster: TestCluster;
let ann: Endpoint;
let vic: Endpoint;

beforeAll(async () => {
  cluster = await startTestCluster({ tenants, environment: { LOG_LEVEL: 'debug' } });
  ann = { mcp: cluster.mcp, apiKey: await createKey(cluster, 'acme', 'ann') };
  vic = { mcp: cluster.mcp, apiKey: await createKey(cluster, 'acme', 'vic') };
});
afterAll(() => cluster[Symbol.asyncDispose]());

async function logs(): Promise<string> {
  const folder = logsOf(cluster);
  const files = await readdir(folder);
  return (await Promise.all(files.map((file) => readFile(join(folder, file), 'utf8')))).join('\n');
}

/** How many calls the worker has run. */
async function ran(): Promise<number> {
  return sumOverWorkers(cluster, 'agent_mesh_runs_total');
}

/** A bad request is answered, reaches no worker, and the next call works. */
async function answersWithoutWork(send: () => Promise<Answer>): Promise<Answer> {
  const before = await ran();
  const answer = await send();
  expect(await ran()).toBe(before);
  await resultOf(ann, 'kv_get', { key: 'next' });
  expect(await ran()).toBe(before + 1);
  return answer;
}

const toolError = (code: string, text: RegExp) => ({
  status: 200,
  message: {
    result: {
      isError: true,
      content: [{ type: 'text', text: expect.stringMatching(text) }],
      _meta: { 'agent-mesh/fault': code },
    },
  },
});

describe('a bad call', () => {
  test('to a tool that is forbidden is answered as one to a tool that does not exist', async () => {
    const args = { key: secret, value: secret };
    const forbidden = await answersWithoutWork(() => callTool(vic, 'kv_set', args));
    const unknown = await callTool(vic, 'kv_nix', args);
    expect(forbidden.message?.error).toMatchObject({
      code: -32602,
      message: 'Unknown tool: kv_set',
    });
    expect(forbidden.text.replace('kv_set', 'kv_nix').replace(/"id":\d+/, '')).toBe(
      unknown.text.replace(/"id":\d+/, ''),
    );
    // Wrong arguments must not tell the difference either.
    const wrong = await callTool(vic, 'kv_set', { nonsense: secret });
    expect(wrong.message?.error).toEqual(forbidden.message?.error);
  });

  test.each([
    ['wrong argument types', 'kv_set', { key: 7, value: secret }, /key/],
    ['a missing argument', 'kv_set', { value: secret }, /key/],
    ['an empty key', 'kv_get', { key: '' }, /must not be empty/],
    ['a key over 900 bytes', 'kv_get', { key: 'ä'.repeat(451) }, /900 bytes/],
    ['a key that climbs', 'artifacts_get', { key: `a/../../globex/${secret}` }, /"\.\."/],
    ['a value over 400 KB', 'kv_set', { key: 'k', value: secret.repeat(30_000) }, /at most/],
    ['content that is not base64', 'artifacts_put', { key: 'k', content: `${secret}!` }, /content/],
  ])('with %s is refused with a text that names the field', async (_what, tool, args, text) => {
    const answer = await answersWithoutWork(() => callTool(ann, tool, args));
    expect(answer).toMatchObject(toolError('invalid_arguments', text));
  });

  test('with an artifact over 2 MiB is refused, naming the limit', async () => {
    const content = Buffer.alloc(2 * 1024 * 1024 + 1).toString('base64');
    const answer = await callTool(ann, 'artifacts_put', { key: 'big', content });
    expect(answer).toMatchObject(toolError('payload_too_large', /2097152|2 MiB/));
    expect(await resultOf(ann, 'artifacts_get', { key: 'big' })).toEqual({ content: null });
  });

  test.each([
    ['a 5 MiB body', Buffer.alloc(5 * 1024 * 1024, 'x'), 413, -32600],
    ['broken JSON', `{"jsonrpc": "2.0", "${secret}`, 400, -32700],
    ['a batch', '[{"jsonrpc":"2.0","id":1,"method":"ping"}]', 400, -32600],
  ])('with %s is refused by the ingress', async (_what, body, status, code) => {
    const answer = await answersWithoutWork(() => post(ann, body));
    expect(answer).toMatchObject({ status, message: { error: { code } } });
  });
});

describe('a caller', () => {
  test('without a token, or with a foreign or malformed one, gets 401 and a challenge', async () => {
    for (const apiKey of [undefined, 'am_nonsense', `am_${'A'.repeat(43)}`, secret]) {
      const answer = await rpc({ mcp: cluster.mcp, apiKey }, 'tools/list');
      expect(answer.status).toBe(401);
      expect(answer.headers['www-authenticate']).toMatch(/^Bearer/);
    }
  });

  test('with a revoked key gets 401 at once', async () => {
    const apiKey = await createKey(cluster, 'acme', 'ann');
    const revoked = { mcp: cluster.mcp, apiKey };
    expect((await rpc(revoked, 'tools/list')).status).toBe(200);
    await withTenantStore(cluster, (store) =>
      store.revokeKey(hashApiKey(apiKey), TenantId.parse('acme')),
    );
    await announce(cluster, 'acme');
    await expect.poll(async () => (await rpc(revoked, 'tools/list')).status).toBe(401);
  });

  test("with another tenant's key acts for that tenant alone", async () => {
    await resultOf(ann, 'kv_set', { key: 'private', value: secret });
    const gus = { mcp: cluster.mcp, apiKey: await createKey(cluster, 'globex', 'gus') };
    expect(await resultOf(gus, 'kv_get', { key: 'private' })).toEqual({ value: null });
  });
});

test('no argument, key or token is in any log', async () => {
  const text = await logs();
  expect(text).toContain('"msg":"invocation"');
  expect(text).not.toContain(secret);
  expect(text).not.toContain(ann.apiKey ?? '');
  expect(text).not.toContain(vic.apiKey ?? '');
});
