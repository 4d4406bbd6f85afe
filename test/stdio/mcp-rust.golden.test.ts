/**
 * The wire format of mcp-rust, line by line: what is sent, and the whole line that comes back. A
 * line without an answer is followed by the next question.
 */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { mesh, startUp, type RunningUp } from '../support/mesh.ts';
import { makeTempDir, type TempDir } from '../support/temp-dir.ts';
import { startStdio, toolCall, type TestStdio } from './a-stdio.ts';

let data: TempDir;
let running: RunningUp;

beforeAll(async () => {
  data = await makeTempDir();
  const file = join(data.path, 'tenants.yaml');
  await writeFile(
    file,
    `tenants:
  - { id: acme, users: [{ id: ann, role: User }, { id: vic, role: Viewer }] }
  - { id: slow, limits: { requestsPerMinute: 1 }, users: [{ id: sam }] }
  - { id: shut, status: suspended, users: [{ id: sid }] }
`,
  );
  running = await startUp(data.path, { args: [`--tenants=${file}`] });
}, 120_000);
afterAll(async () => {
  const ended = new Promise((resolve) => running.child.once('exit', resolve));
  running.child.kill('SIGTERM');
  await ended;
  await data[Symbol.asyncDispose]();
});

const open = (environment: Readonly<Record<string, string>> = {}): TestStdio =>
  startStdio(['--compat=mcp-rust', `--data=${data.path}`], environment);

const demo = '"tenant_id":"demo-tenant","user_id":"user-demo-123"';
const vic = '"tenant_id":"acme","user_id":"vic"';
const call = (id: number, params: string, who = demo): string =>
  `{"jsonrpc":"2.0","id":${id},"method":"tools/call","params":${params},${who}}`;
const result = (id: number, value: string): string =>
  `{"jsonrpc":"2.0","id":${id},"result":${value}}`;
const error = (id: number | null, code: number, message: string): string =>
  JSON.stringify({ jsonrpc: '2.0', id, error: { code, message } });

const tools = [
  '{"name":"kv_get","description":"Get a value from the key-value store","inputSchema":{"type":"object","properties":{"key":{"type":"string","description":"The key to retrieve"}},"required":["key"]}}',
  '{"name":"kv_set","description":"Set a value in the key-value store","inputSchema":{"type":"object","properties":{"key":{"type":"string","description":"The key to set"},"value":{"type":"string","description":"The value to store"},"ttl_hours":{"type":"number","description":"Time to live in hours (default: 24)"}},"required":["key","value"]}}',
  '{"name":"artifacts_get","description":"Get an artifact by key","inputSchema":{"type":"object","properties":{"key":{"type":"string","description":"The artifact key to retrieve"}},"required":["key"]}}',
  '{"name":"artifacts_put","description":"Store an artifact","inputSchema":{"type":"object","properties":{"key":{"type":"string","description":"The artifact key"},"content":{"type":"string","description":"The artifact content (base64 encoded)"},"content_type":{"type":"string","description":"The content type (default: text/plain)"}},"required":["key","content"]}}',
  '{"name":"artifacts_list","description":"List artifacts with optional prefix","inputSchema":{"type":"object","properties":{"prefix":{"type":"string","description":"Optional prefix to filter artifacts"}}}}',
  '{"name":"events_send","description":"Send an event","inputSchema":{"type":"object","properties":{"detailType":{"type":"string","description":"The event type"},"detail":{"type":"object","description":"The event details"}},"required":["detailType","detail"]}}',
];
const [kvGet = '', , artifactsGet = '', , artifactsList = ''] = tools;
const hello =
  '{"protocolVersion":"2025-06-18","capabilities":{"tools":{}},"serverInfo":{"name":"mcp-rust","version":"0.1.0"}}';
const tenantRequired =
  'Invalid Request: tenant_id is required (set DEFAULT_TENANT_ID env var for local dev)';

/** Sends all lines. Those with an answer must get exactly that one, in the same order. */
async function replay(
  stdio: TestStdio,
  transcript: readonly (readonly [sent: string, answer?: string])[],
): Promise<void> {
  for (const [sent] of transcript) stdio.send(sent);
  for (const [, answer] of transcript.filter((line) => line.length > 1)) {
    expect(await stdio.nextLine()).toBe(answer);
  }
}

describe('--compat mcp-rust', { timeout: 60_000 }, () => {
  test('greets as the original', async () => {
    await using stdio = open();
    await replay(stdio, [
      [
        '{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2024-11-05"}}',
        result(1, hello),
      ],
      ['{"jsonrpc":"2.0","method":"notifications/initialized"}'],
      ['{"jsonrpc":"2.0","id":2,"method":"notifications/initialized"}', result(2, 'null')],
      [
        '{"jsonrpc":"2.0","id":"three","method":"initialize"}',
        `{"jsonrpc":"2.0","id":"three","result":${hello}}`,
      ],
      [
        `{"jsonrpc":"2.0","id":4,"method":"initialize","tenant_id":"nobody","user_id":"x"}`,
        error(4, -32_002, 'Tenant error: Tenant not found: nobody'),
      ],
      ['{"jsonrpc":"2.0","id":5,"method":"ping"}', error(5, -32_601, 'Method not found: ping')],
    ]);
  });

  test('lists the six tools, and to each user those they may use', async () => {
    await using stdio = open();
    await replay(stdio, [
      [
        `{"jsonrpc":"2.0","id":1,"method":"tools/list",${demo}}`,
        result(1, `{"tools":[${tools.join(',')}]}`),
      ],
      [
        `{"jsonrpc":"2.0","id":2,"method":"tools/list","params":{},${vic}}`,
        result(2, `{"tools":[${[kvGet, artifactsGet, artifactsList].join(',')}]}`),
      ],
    ]);
  });

  test('answers each tool with the bare result', async () => {
    await using stdio = open();
    await replay(stdio, [
      [call(1, '{"name":"kv_get","arguments":{"key":"test-key"}}'), result(1, '{"value":null}')],
      [
        call(2, '{"name":"kv_set","arguments":{"key":"test-key","value":"v","ttl_hours":1}}'),
        result(2, '{"success":true}'),
      ],
      [call(3, '{"name":"kv_get","arguments":{"key":"test-key"}}'), result(3, '{"value":"v"}')],
      [
        call(4, '{"name":"artifacts_get","arguments":{"key":"a/b.txt"}}'),
        result(4, '{"content":null}'),
      ],
      [
        call(5, '{"name":"artifacts_put","arguments":{"key":"a/b.txt","content":"aGVsbG8="}}'),
        result(5, '{"success":true}'),
      ],
      [
        call(6, '{"name":"artifacts_get","arguments":{"key":"a/b.txt"}}'),
        result(6, '{"content":"aGVsbG8=","encoding":"base64"}'),
      ],
      [
        call(7, '{"name":"artifacts_list","arguments":{"prefix":"a/"}}'),
        result(7, '{"keys":["a/b.txt"]}'),
      ],
      [call(8, '{"name":"artifacts_list"}'), result(8, '{"keys":["a/b.txt"]}')],
      [
        call(9, '{"name":"events_send","arguments":{"detailType":"t","detail":{"x":1}}}'),
        result(9, '{"success":true}'),
      ],
    ]);
  });

  test('keeps for ever what is set without a time to live, whatever its schema says', async () => {
    await using stdio = open();
    const set = '{"name":"kv_set","arguments":{"key":"kept","value":"v"}}';
    await replay(stdio, [[call(1, set), result(1, '{"success":true}')]]);
    await using plain = startStdio([`--data=${data.path}`]);
    plain.send(toolCall('kv_list', { prefix: 'kept' }));
    expect((await plain.next()).result?.structuredContent).toEqual({ keys: [{ key: 'kept' }] });
  });

  test('answers the request of its documentation, laid out as it is there', async () => {
    await using stdio = open();
    const block = `{
  "jsonrpc": "2.0",
  "id": 1,
  "method": "tools/call",
  "params": {
    "name": "kv_get",
    "arguments": {
      "key": "missing-key"
    }
  },
  "tenant_id": "demo-tenant",
  "user_id": "user-demo-123"
}`;
    await replay(stdio, [[block, result(1, '{"value":null}')]]);
  });

  test('refuses with the codes and words of the original', async () => {
    await using stdio = open();
    await replay(stdio, [
      [call(1, 'null'), error(1, -32_600, 'Invalid Request: Missing parameters')],
      [call(2, '{}'), error(2, -32_600, 'Invalid Request: Missing tool name')],
      [
        call(3, '{"name":7}'),
        error(
          3,
          -32_600,
          'Invalid Request: Invalid tool name: invalid type: integer `7`, expected a string',
        ),
      ],
      [
        call(4, '{"name":"kv_delete","arguments":{"key":"a"}}'),
        error(4, -32_003, 'Handler error: Handler not found: kv_delete'),
      ],
      [
        call(5, '{"name":"kv_get"}'),
        error(5, -32_003, "Handler error: Invalid arguments: Missing 'key' parameter"),
      ],
      [
        call(6, '{"name":"kv_get","arguments":{"key":5}}'),
        error(6, -32_003, "Handler error: Invalid arguments: Missing 'key' parameter"),
      ],
      [
        call(7, '{"name":"kv_set","arguments":{"key":"a"}}'),
        error(7, -32_003, "Handler error: Invalid arguments: Missing 'value' parameter"),
      ],
      [
        call(8, '{"name":"artifacts_put","arguments":{"key":"a"}}'),
        error(8, -32_003, "Handler error: Invalid arguments: Missing 'content' parameter"),
      ],
      [
        call(9, '{"name":"artifacts_put","arguments":{"key":"a","content":"a!=="}}'),
        error(
          9,
          -32_003,
          'Handler error: Invalid arguments: Invalid base64 content: Invalid symbol 33, offset 1.',
        ),
      ],
      [
        call(10, '{"name":"artifacts_put","arguments":{"key":"a","content":"YWJ"}}'),
        error(
          10,
          -32_003,
          'Handler error: Invalid arguments: Invalid base64 content: Invalid padding',
        ),
      ],
      [
        call(11, '{"name":"events_send","arguments":{"detail":{}}}'),
        error(11, -32_003, "Handler error: Invalid arguments: Missing 'detailType' parameter"),
      ],
      [
        call(12, '{"name":"events_send","arguments":{"detailType":"t"}}'),
        error(12, -32_003, "Handler error: Invalid arguments: Missing 'detail' parameter"),
      ],
      [
        call(13, '{"name":"kv_set","arguments":{"key":"a","value":"b"}}', vic),
        error(13, -32_003, 'Handler error: Permission denied: required WriteKV'),
      ],
      [
        call(14, '{"name":"kv_set"}', vic),
        error(14, -32_003, 'Handler error: Permission denied: required WriteKV'),
      ],
      [
        '{"jsonrpc":"2.0","id":15}',
        error(null, -32_600, 'Invalid Request: missing field `method` at line 1 column 25'),
      ],
      [
        '{"id":16,"method":"ping"}',
        error(null, -32_600, 'Invalid Request: missing field `jsonrpc` at line 1 column 25'),
      ],
    ]);
    stdio.send('{not json');
    expect(JSON.parse(await stdio.nextLine())).toEqual({
      jsonrpc: '2.0',
      id: null,
      error: { code: -32_600, message: expect.stringMatching(/^Invalid Request: ./) },
    });
  });

  test('answers no notification, whether its id is null or absent, and does what it says', async () => {
    await using stdio = open();
    const set =
      '"method":"tools/call","params":{"name":"kv_set","arguments":{"key":"quiet","value":"done"}}';
    await replay(stdio, [
      [`{"jsonrpc":"2.0","id":null,${set},${demo}}`],
      [`{"jsonrpc":"2.0","id":null,"method":"no/such",${demo}}`],
      [`{"jsonrpc":"2.0","method":"tools/call","params":{"name":"nope"},${demo}}`],
      [`{"jsonrpc":"2.0","method":"tools/list"}`],
      [call(1, '{"name":"kv_get","arguments":{"key":"quiet"}}'), result(1, '{"value":"done"}')],
    ]);
  });

  test('acts for the tenant and user that the envelope names', async () => {
    await using stdio = open();
    const get = '{"name":"kv_get","arguments":{"key":"whose"}}';
    const set = '{"name":"kv_set","arguments":{"key":"whose","value":"acme"}}';
    const ann = '"tenant_id":"acme","user_id":"ann"';
    await replay(stdio, [
      [call(1, set, ann), result(1, '{"success":true}')],
      [call(2, get, ann), result(2, '{"value":"acme"}')],
      [call(3, get), result(3, '{"value":null}')],
      [
        call(4, get, '"tenant_id":"nobody","user_id":"ann"'),
        error(4, -32_002, 'Tenant error: Tenant not found: nobody'),
      ],
      [
        call(5, get, '"tenant_id":"acme","user_id":"eve"'),
        error(5, -32_002, 'Tenant error: Unauthorized access for tenant: acme'),
      ],
      [
        call(6, get, '"tenant_id":"shut","user_id":"sid"'),
        error(6, -32_002, 'Tenant error: Unauthorized access for tenant: shut'),
      ],
      [
        call(7, get, '"tenant_id":"No Such","user_id":"x"'),
        error(7, -32_002, 'Tenant error: Tenant not found: No Such'),
      ],
      [call(8, get, '"user_id":"ann"'), error(8, -32_600, tenantRequired)],
      [call(9, get, '"tenant_id":null'), error(9, -32_600, tenantRequired)],
    ]);
    stdio.end();
    expect(await stdio.ended).toBe(0);
    // What was made for it alone is taken back. (Others were killed: their keys expire.)
    const { stdout } = await mesh('keys', 'list', '--tenant=acme', '--json', `--data=${data.path}`);
    const keys: { readonly user: string }[] = JSON.parse(stdout);
    expect(keys.filter(({ user }) => user === 'ann')).toEqual([]);
  });

  test('says that a rate is used up', async () => {
    await using stdio = open();
    const get = '{"name":"kv_get","arguments":{"key":"k"}}';
    const sam = '"tenant_id":"slow","user_id":"sam"';
    await replay(stdio, [
      [call(1, get, sam), result(1, '{"value":null}')],
      [call(2, get, sam), error(2, -32_001, 'Rate limit exceeded')],
    ]);
  });

  test('takes defaults from DEFAULT_TENANT_ID and DEFAULT_USER_ID, and registers who is new', async () => {
    const get =
      '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"kv_get","arguments":{"key":"whose"}}}';
    await using known = open({ DEFAULT_TENANT_ID: 'acme', DEFAULT_USER_ID: 'ann' });
    await replay(known, [[get, result(1, '{"value":"acme"}')]]);
    await using fresh = open({ DEFAULT_TENANT_ID: 'fresh', DEFAULT_USER_ID: 'finn' });
    await replay(fresh, [[get, result(1, '{"value":null}')]]);
  });

  test('assumes the demo tenant with DEV_MODE=true', async () => {
    await using stdio = open({ DEV_MODE: 'true' });
    stdio.send('{"jsonrpc":"2.0","id":1,"method":"tools/list"}');
    expect(await stdio.nextLine()).toBe(result(1, `{"tools":[${tools.join(',')}]}`));
  });

  test('answers in order of arrival, all of it, when a whole script is piped in', async () => {
    await using stdio = open();
    const ids = Array.from({ length: 20 }, (_, index) => index);
    for (const id of ids) {
      stdio.send(
        call(
          id,
          `{"name":"kv_set","arguments":{"key":"n","value":"${id}"}}`,
          '"tenant_id":"acme","user_id":"ann"',
        ),
      );
    }
    stdio.end();
    for (const id of ids) expect(await stdio.nextLine()).toBe(result(id, '{"success":true}'));
    expect(await stdio.ended).toBe(0);
  });

  test('acts at an ingress elsewhere for whom the token stands, and for nobody else', async () => {
    const { mcp, apiKey } = running.up;
    await using stdio = startStdio(['--compat=mcp-rust', `--url=${mcp}`], {
      AGENT_MESH_TOKEN: apiKey,
    });
    const get = '{"name":"kv_get","arguments":{"key":"kept"}}';
    await replay(stdio, [
      [call(1, get), result(1, '{"value":"v"}')],
      [
        '{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"kv_get","arguments":{"key":"kept"}}}',
        result(2, '{"value":"v"}'),
      ],
      [
        call(3, get, '"tenant_id":"acme","user_id":"ann"'),
        error(3, -32_002, 'Tenant error: Tenant not found: acme'),
      ],
      [
        call(4, get, '"tenant_id":"demo-tenant","user_id":"eve"'),
        error(4, -32_002, 'Tenant error: Unauthorized access for tenant: demo-tenant'),
      ],
    ]);
  });
});
