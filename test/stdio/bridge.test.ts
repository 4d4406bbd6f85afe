import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Client } from '@modelcontextprotocol/client';
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio';
import { Client as OldClient } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport as OldTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { z } from 'zod';
import { startChild } from '../../deploy/local/child.ts';
import { findFreePort } from '../../deploy/local/ports.ts';
import { startTestCluster, type TestCluster } from '../support/cluster.ts';
import { sumOverWorkers } from '../support/gauges.ts';
import { createKey } from '../support/keys.ts';
import { stillRunning } from '../support/mesh.ts';
import { cleanEnvironment, main, startStdio, toolCall, type TestStdio } from './a-stdio.ts';

const run = promisify(execFile);
const tenants = `
tenants:
  - id: acme
    limits: { requestsPerMinute: 100000, userRequestsPerMinute: 100000 }
    users: [{ id: ann, role: Admin }]
`;
const modernMeta = {
  'io.modelcontextprotocol/protocolVersion': '2026-07-28',
  'io.modelcontextprotocol/clientCapabilities': {},
};
const initialize = {
  protocolVersion: '2025-11-25',
  capabilities: {},
  clientInfo: { name: 'test', version: '1' },
};

let cluster: TestCluster;
let environment: Record<string, string>;

beforeAll(async () => {
  cluster = await startTestCluster({ tenants, diagnostics: true });
  const key = await createKey(cluster, 'acme', 'ann');
  environment = { AGENT_MESH_URL: cluster.mcp, AGENT_MESH_TOKEN: key };
});
afterAll(() => cluster[Symbol.asyncDispose]());

const open = (): TestStdio => startStdio([], environment);
const running = (): Promise<number> => sumOverWorkers(cluster, 'agent_mesh_worker_running');

async function untilRunning(count: number): Promise<void> {
  await vi.waitFor(async () => expect(await running()).toBe(count), {
    timeout: 15_000,
    interval: 20,
  });
}

const server = () => ({
  command: process.execPath,
  args: [main],
  env: { ...cleanEnvironment(), ...environment },
});
const echo = { name: 'diagnostics_echo', arguments: { text: 'over stdio' } };

describe('official clients over stdio', { timeout: 60_000 }, () => {
  test('v1 connects, lists, calls, and leaves', async () => {
    const transport = new OldTransport(server());
    const client = new OldClient({ name: 'old', version: '1' });
    await client.connect(transport);
    expect((await client.listTools()).tools[0]?.name).toBe('kv_get');
    expect(await client.callTool(echo)).toMatchObject({
      structuredContent: { text: 'over stdio' },
    });
    const { pid } = transport;
    await client.close();
    await vi.waitFor(async () => expect(await stillRunning([pid ?? 0])).toEqual([]), 10_000);
  });

  test.each([
    ['auto', 'auto'],
    ['legacy', 'legacy'],
    ['pinned to 2026-07-28', { pin: '2026-07-28' }],
  ] as const)('v2, %s, lists and calls', async (_name, mode) => {
    const client = new Client({ name: 'new', version: '1' }, { versionNegotiation: { mode } });
    await client.connect(new StdioClientTransport(server()));
    expect((await client.listTools()).tools[0]?.name).toBe('kv_get');
    expect((await client.callTool(echo)).structuredContent).toEqual({ text: 'over stdio' });
    await client.close();
  });

  test.each(['legacy', { pin: '2026-07-28' }] as const)(
    'v2 in mode %o cancels a running call, whose slot is free soon after',
    async (mode) => {
      const client = new Client({ name: 'new', version: '1' }, { versionNegotiation: { mode } });
      await client.connect(new StdioClientTransport(server()));
      const controller = new AbortController();
      const sleep = { name: 'diagnostics_sleep', arguments: { ms: 40_000 } };
      const call = client.callTool(sleep, { signal: controller.signal });
      const outcome = call.catch((error: unknown) => error);
      await untilRunning(1);
      controller.abort();
      expect(await outcome).toBeInstanceOf(Error);
      await untilRunning(0);
      await client.close();
    },
  );
});

describe('the bridge', { timeout: 60_000 }, () => {
  test('answers a request of mcp-rust without a handshake, laid out as its documentation has it', async () => {
    await using stdio = open();
    const block = {
      ...toolCall('kv_get', { key: 'test-key' }),
      tenant_id: 'demo-tenant',
      user_id: 'user-demo-123',
    };
    stdio.send(JSON.stringify(block));
    expect((await stdio.next()).result?.structuredContent).toEqual({ value: null });
    stdio.send(JSON.stringify(block, undefined, 2));
    expect((await stdio.next()).result?.structuredContent).toEqual({ value: null });
  });

  test('brings results of 2 MiB through whole', async () => {
    await using stdio = open();
    const content = Buffer.alloc(2 * 1024 * 1024, 'mesh').toString('base64');
    stdio.send(toolCall('artifacts_put', { key: 'big', content }));
    expect((await stdio.next()).result?.structuredContent).toEqual({ success: true });
    stdio.send(toolCall('artifacts_get', { key: 'big' }, 'big'));
    const answer = await stdio.next();
    expect(answer.id).toBe('big');
    expect(answer.result?.structuredContent).toEqual({ content, encoding: 'base64' });
  });

  test('answers many requests at once, each once', async () => {
    await using stdio = open();
    const ids = Array.from({ length: 300 }, (_, index) => index);
    for (const id of ids) stdio.send(toolCall('diagnostics_echo', { text: `${id}` }, id));
    const answers: [unknown, unknown][] = [];
    for (const _ of ids) {
      const { id, result } = await stdio.next();
      answers.push([id, result?.structuredContent]);
    }
    answers.sort(([a], [b]) => Number(a) - Number(b));
    expect(answers).toEqual(ids.map((id) => [id, { text: `${id}` }]));
  });

  test('holds little for a client that does not read, and loses nothing', async () => {
    await using stdio = open();
    const content = Buffer.alloc(2 * 1024 * 1024, 'mesh').toString('base64');
    stdio.send(toolCall('artifacts_put', { key: 'heavy', content }));
    await stdio.next();
    stdio.child.stdout.pause();
    const ids = Array.from({ length: 20 }, (_, index) => index);
    for (const id of ids) stdio.send(toolCall('artifacts_get', { key: 'heavy' }, id));
    await new Promise((resolve) => setTimeout(resolve, 5_000));
    const status = await readFile(`/proc/${stdio.child.pid}/status`, 'utf8');
    const megabytes = Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1]) / 1_024;
    // All of the answers together would make it over 220.
    expect(megabytes).toBeLessThan(175);
    stdio.child.stdout.resume();
    const answered = new Set<unknown>();
    for (const _ of ids) answered.add((await stdio.next()).id);
    expect(answered.size).toBe(ids.length);
  });

  test('answers what is no message, and goes on', async () => {
    await using stdio = open();
    stdio.send('{bad');
    expect(await stdio.next()).toMatchObject({ id: null, error: { code: -32_700 } });
    stdio.send(`"${'x'.repeat(5_000_000)}"`);
    expect((await stdio.next()).error?.message).toMatch(/larger than 4194304 bytes/);
    stdio.send('[]');
    expect((await stdio.next()).error?.code).toBe(-32_600);
    expect((await stdio.ask('no/such')).error?.code).toBe(-32_601);
    expect(await stdio.ask('tools/call', { ...echo, _meta: modernMeta })).toMatchObject({
      result: { structuredContent: { text: 'over stdio' } },
    });
  });

  test('says why a key is refused, under the id of the request', async () => {
    await using stdio = startStdio([], { ...environment, AGENT_MESH_TOKEN: 'am_wrong' });
    expect(await stdio.ask('tools/list', {}, 'x')).toMatchObject({
      id: 'x',
      error: { message: expect.stringMatching(/unknown, revoked or expired.*AGENT_MESH_TOKEN/) },
    });
    await stdio.ask('tools/list', {}, 'y');
    expect(stdio.stderr()).toMatch(/^agent-mesh: .*See AGENT_MESH_TOKEN\.\n$/);
  });

  test('says that an endpoint cannot be reached, and when to try again', async () => {
    await using stdio = startStdio([`--url=http://127.0.0.1:${await findFreePort()}/mcp`]);
    expect((await stdio.ask('tools/list')).error).toMatchObject({
      message: expect.stringMatching(/cannot be reached.*Retry in 1 s\.$/),
      data: { 'agent-mesh/retryAfterMs': 1_000 },
    });
    expect(stdio.stderr()).toMatch(/^agent-mesh: The endpoint cannot be reached: .*\n$/);
  });

  test('answers calls under way when its input ends, then ends', async () => {
    await using stdio = open();
    stdio.send(toolCall('diagnostics_sleep', { ms: 500 }, 'slow'));
    stdio.send(toolCall('diagnostics_echo', { text: 'last' }, 'fast'));
    stdio.end();
    const ids = [(await stdio.next()).id, (await stdio.next()).id];
    expect(new Set(ids)).toEqual(new Set(['fast', 'slow']));
    expect(await stdio.ended).toBe(0);
  });

  test.each(['SIGTERM', 'SIGINT'] as const)(
    'ends on %s and cancels the call that nobody awaits any more',
    async (signal) => {
      await using stdio = open();
      await stdio.ask('initialize', initialize);
      stdio.send(toolCall('diagnostics_sleep', { ms: 40_000 }, 'slow'));
      await untilRunning(1);
      stdio.child.kill(signal);
      expect(await stdio.ended).toBe(0);
      await untilRunning(0);
    },
  );

  test('ends within seconds once its parent is killed, though a call is running', async () => {
    const script = `
      const { spawn } = require('node:child_process');
      const child = spawn(process.execPath, [process.argv[1]], { stdio: ['pipe', 'pipe', 'inherit'] });
      child.stdin.write(process.argv[2] + '\\n');
      console.log(child.pid);
      setInterval(() => {}, 1000);`;
    const call = { ...toolCall('diagnostics_sleep', { ms: 40_000 }) };
    const modern = { ...call, params: { ...(call['params'] as object), _meta: modernMeta } };
    const parent = spawn(process.execPath, ['-e', script, main, JSON.stringify(modern)], {
      env: { ...cleanEnvironment(), ...environment },
    });
    const [line] = await once(parent.stdout, 'data');
    await untilRunning(1);
    parent.kill('SIGKILL');
    const left = () => stillRunning([Number(line)]);
    await vi.waitFor(async () => expect(await left()).toEqual([]), 15_000);
    await untilRunning(0);
  });

  test('a client that listens for changes can leave at once', async () => {
    await using stdio = open();
    const params = { notifications: { toolsListChanged: true }, _meta: modernMeta };
    stdio.send({ jsonrpc: '2.0', id: 'listen', method: 'subscriptions/listen', params });
    await stdio.next();
    const endedAt = performance.now();
    stdio.end();
    expect(await stdio.ended).toBe(0);
    expect(performance.now() - endedAt).toBeLessThan(4_000);
  });

  test('loads no package before its first answer', async () => {
    const hook =
      'import { registerHooks } from "node:module";' +
      'registerHooks({ load(url, context, next) { process.stderr.write(url + "\\n"); return next(url, context); } });';
    await using stdio = startStdio([], {
      ...environment,
      NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(hook)}`,
    });
    await stdio.ask('tools/list');
    expect(stdio.stderr()).toContain('services/stdio/bridge.ts');
    expect(stdio.stderr()).not.toContain('node_modules');
  });
});

describe('an ingress that restarts', { timeout: 90_000 }, () => {
  test('costs the call under way an honest error, and no call after it', async () => {
    const port = String(await findFreePort());
    const { aws, redis, folder } = cluster;
    const start = () =>
      startChild({
        name: 'ingress-9',
        script: 'services/ingress/main.ts',
        environment: {
          ...cleanEnvironment(),
          PORT: port,
          ADMIN_PORT: '0',
          REDIS_URL: redis,
          AGENT_MESH_DIAGNOSTICS: 'true',
          AWS_REGION: aws.region,
          AWS_ENDPOINT_URL: aws.endpoint,
          AWS_ACCESS_KEY_ID: aws.credentials?.accessKeyId,
          AWS_SECRET_ACCESS_KEY: aws.credentials?.secretAccessKey,
        },
        logDir: folder.logs,
        ready: z.object({ mcp: z.string() }),
      });
    const first = await start();
    await using stdio = startStdio([`--url=${first.ready.mcp}`], environment);
    await stdio.ask('initialize', initialize);
    stdio.send(toolCall('diagnostics_sleep', { ms: 3_000 }, 'cut'));
    await untilRunning(1);
    process.kill(first.pid, 'SIGKILL');
    const cut = await stdio.next();
    expect(cut).toMatchObject({
      id: 'cut',
      error: { data: { 'agent-mesh/fault': 'outcome_unknown' } },
    });
    await first.ended;
    const second = await start();
    stdio.send(toolCall('diagnostics_echo', { text: 'again' }, 'after'));
    expect((await stdio.next()).result?.structuredContent).toEqual({ text: 'again' });
    await second.stop(5_000);
    await untilRunning(0);
  });

  test('a session that was revoked is opened anew, unseen by the client', async () => {
    await using stdio = open();
    await stdio.ask('initialize', initialize);
    const cli = join(import.meta.dirname, '../../services/cli/main.ts');
    const { redis, aws } = cluster;
    await run(process.execPath, [cli, 'sessions', 'revoke', '--tenant', 'acme', '--all'], {
      env: {
        ...cleanEnvironment(),
        REDIS_URL: redis,
        AWS_ENDPOINT_URL: aws.endpoint,
        AWS_ACCESS_KEY_ID: aws.credentials?.accessKeyId,
        AWS_SECRET_ACCESS_KEY: aws.credentials?.secretAccessKey,
      },
    });
    stdio.send(toolCall('diagnostics_echo', { text: 'still here' }));
    expect((await stdio.next()).result?.structuredContent).toEqual({ text: 'still here' });
    expect(stdio.stderr()).toContain('opened anew');
  });
});
