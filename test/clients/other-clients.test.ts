import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { installPeers } from '../bench/targets/install-peers.ts';
import { startTestCluster, type TestCluster } from '../support/cluster.ts';
import { stillRunning } from '../support/mesh.ts';
import { makeTempDir, type TempDir } from '../support/temp-dir.ts';
import { childrenOf, inspect, proxy } from './programs.ts';

const services = join(import.meta.dirname, '../../services');
const echo = { name: 'diagnostics_echo', arguments: { text: 'hello' } };

let home: TempDir;
let cluster: TestCluster;
let access: Record<string, string>;

beforeAll(async () => {
  await installPeers((text) => void process.stderr.write(`${text}\n`));
  home = await makeTempDir();
  cluster = await startTestCluster({ diagnostics: true });
  access = { AGENT_MESH_URL: cluster.mcp, AGENT_MESH_TOKEN: cluster.apiKey };
}, 240_000);
afterAll(async () => {
  await cluster?.[Symbol.asyncDispose]();
  await home?.[Symbol.asyncDispose]();
});

const toolCall = (name: string, args: unknown): readonly string[] => [
  ...['--method', 'tools/call', '--tool-name', name],
  ...['--tool-args-json', JSON.stringify(args)],
];
const http = (): readonly string[] => [
  ...[cluster.mcp, '--transport', 'http'],
  ...['--header', `Authorization: Bearer ${cluster.apiKey}`],
];
const stdio = (): readonly string[] => [
  ...[process.execPath, join(services, 'stdio/start.mjs')],
  ...Object.entries(access).flatMap(([name, value]) => ['-e', `${name}=${value}`]),
];

describe('the inspector', { timeout: 240_000 }, () => {
  test.each([
    ['HTTP', 'legacy', http],
    ['HTTP', 'modern', http],
    ['stdio', 'legacy', stdio],
    ['stdio', 'modern', stdio],
  ])('calls, and lists tools and resources, over %s in the %s era', async (name, era, target) => {
    const ask = (...args: readonly string[]): Promise<unknown> =>
      inspect([...target(), '--protocol-era', era, ...args], home.path);
    const key = `${name}-${era}`;
    expect(await ask(...toolCall('kv_set', { key, value: 'yes' }))).toMatchObject({
      structuredContent: { success: true },
    });
    expect(await ask('--method', 'tools/list')).toMatchObject({
      tools: expect.arrayContaining([expect.objectContaining({ name: 'kv_get' })]),
    });
    expect(await ask('--method', 'resources/list')).toMatchObject({
      resources: expect.arrayContaining([expect.objectContaining({ uri: `mesh://kv/${key}` })]),
    });
  });
});

describe('mcp-proxy in front of stdio', { timeout: 120_000 }, () => {
  test.each([
    ['legacy', 'legacy'],
    ['2026-07-28', { pin: '2026-07-28' }],
  ] as const)('calls a tool for a client of HTTP, %s', async (_name, mode) => {
    await using proxied = await proxy(
      [process.execPath, join(services, 'cli/main.ts'), 'stdio'],
      access,
    );
    const client = await proxied.connect(mode);
    expect((await client.listTools()).tools[0]?.name).toBe('kv_get');
    expect((await client.callTool(echo)).structuredContent).toEqual(echo.arguments);
  });

  test.each(['SIGTERM', 'SIGKILL'] as const)(
    'leaves no stdio process behind when it ends by %s',
    async (signal) => {
      await using proxied = await proxy(
        [process.execPath, join(services, 'stdio/start.mjs')],
        access,
      );
      const client = await proxied.connect('legacy');
      expect((await client.callTool(echo)).structuredContent).toEqual(echo.arguments);
      const children = await childrenOf(proxied.pid);
      expect(children.length).toBeGreaterThan(0);
      process.kill(proxied.pid, signal);
      await vi.waitFor(async () => expect(await stillRunning(children)).toEqual([]), 30_000);
    },
  );
});
