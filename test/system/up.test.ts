import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { readFile, stat, writeFile } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { findRedis } from '../../deploy/local/find-redis.ts';
import { callTool } from '../../deploy/local/first-call.ts';
import { startRedis } from '../../deploy/local/redis.ts';
import { indexPrefix, indexSuffixes } from '../../shared/queue/names.ts';
import { mesh, startUp, stillRunning, type RunningUp } from '../support/mesh.ts';
import { makeTempDir, type TempDir } from '../support/temp-dir.ts';

const run = promisify(execFile);
const stopped = { timeout: 30_000, interval: 50 };

async function isListening(url: string): Promise<boolean> {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}

async function expectNothingLeft(running: RunningUp, pids: readonly number[]): Promise<void> {
  await vi.waitFor(async () => expect(await stillRunning(pids)).toEqual([]), stopped);
  const { mcp, admin, redis, aws = redis, workers } = running.up;
  const urls = [mcp, admin, redis, aws, ...workers.map((worker) => worker.admin)];
  expect(await Promise.all(urls.map(isListening))).toEqual(urls.map(() => false));
}

async function stop({ child }: RunningUp): Promise<number | null> {
  const ended = child.exitCode === null ? once(child, 'exit') : undefined;
  child.kill('SIGTERM');
  await ended;
  return child.exitCode;
}

describe('npm start, through one life of a data folder', { timeout: 60_000 }, () => {
  let data: TempDir;
  let running: RunningUp;
  let apiKey: string;
  let pids: readonly number[];

  beforeAll(async () => {
    data = await makeTempDir();
    running = await startUp(data.path);
    ({ apiKey } = running.up);
  });

  afterAll(async () => {
    running.child.kill('SIGTERM');
    await data[Symbol.asyncDispose]();
  });

  test('prints an endpoint, a key and a curl line that works when pasted', async () => {
    const { up, port } = running;
    expect(up).toMatchObject({
      mcp: `http://127.0.0.1:${port}/mcp`,
      admin: `http://127.0.0.1:${port + 1}`,
      tenant: 'demo-tenant',
      user: 'user-demo-123',
      apiKey: expect.stringMatching(/^am_[\w-]{43}$/),
    });
    const { stdout } = running.output();
    expect(stdout).toContain(up.mcp);
    expect(stdout).toContain(up.apiKey);
    const curl = stdout.split('\n').find((line) => line.startsWith('curl ')) ?? '';
    const answer = await run('/bin/sh', ['-c', curl]);
    expect(answer.stdout).toContain('Hello from agent-mesh');
  });

  test('keeps secrets readable by their owner alone', async () => {
    for (const file of ['up.json', 'demo-key', 'aws-credentials']) {
      expect((await stat(join(data.path, file))).mode & 0o777).toBe(0o600);
    }
  });

  test('refuses a second start on the same folder in one line', async () => {
    expect(await mesh('up', `--data=${data.path}`)).toEqual({
      code: 1,
      stdout: '',
      stderr: `error: A cluster is already running on ${data.path}.\n`,
    });
    expect(await isListening(running.up.mcp)).toBe(true);
    expect(await readFile(join(data.path, 'up.json'), 'utf8')).toContain(running.up.mcp);
  });

  test('leaves no process and no port after SIGTERM', async () => {
    const set = { tool: 'kv_set', arguments: { key: 'kept', value: 'yes' } };
    await callTool({ mcp: running.up.mcp, apiKey, ...set });
    pids = await running.pids();
    expect(pids.length).toBeGreaterThanOrEqual(6);
    expect(await stop(running)).toBe(0);
    await expectNothingLeft(running, pids);
    await expect(readFile(join(data.path, 'up.json'))).rejects.toThrow('ENOENT');
  });

  test('remembers no run of Redis after a clean stop, so that the next start need not wait', async () => {
    const program = await findRedis({ path: process.env['PATH'] ?? '', onStep: () => undefined });
    const kept = await startRedis({ program, dataDir: join(data.path, 'redis') });
    const redis = new Redis(kept.url);
    expect(await redis.keys('*')).not.toEqual([]);
    expect(await redis.exists(indexPrefix(0) + indexSuffixes.run)).toBe(0);
    redis.disconnect();
    await kept.close();
  });

  test('keeps data and key over a restart', async () => {
    running = await startUp(data.path, {
      inShell: true,
      args: ['--workers=2', '--ingresses=2'],
    });
    const { up, port } = running;
    expect(up.apiKey).toBe(apiKey);
    expect(up.workers).toHaveLength(2);
    expect(up.ingresses.map(({ mcp }) => mcp)).toEqual([
      `http://127.0.0.1:${port}/mcp`,
      `http://127.0.0.1:${port + 2}/mcp`,
    ]);
    const get = { tool: 'kv_get', arguments: { key: 'kept' } };
    for (const { mcp } of up.ingresses) {
      expect(await callTool({ mcp, apiKey, ...get })).toEqual({ value: 'yes' });
    }
  });

  test('goes on when one of two workers is killed', async () => {
    const { mcp, workers } = running.up;
    pids = await running.pids();
    process.kill(workers[0]?.pid ?? 0, 'SIGKILL');
    await vi.waitFor(() => expect(running.output().stdout).toContain('worker-0 ended (SIGKILL)'));
    const get = { tool: 'kv_get', arguments: { key: 'kept' } };
    expect(await callTool({ mcp, apiKey, ...get })).toEqual({ value: 'yes' });
  });

  test('stops when its parent is killed, though nobody passes a signal on', async () => {
    running.child.kill('SIGKILL');
    await expectNothingLeft(running, pids);
  });

  test('leaves nothing when the launcher itself is killed', async () => {
    running = await startUp(data.path);
    pids = await running.pids();
    process.kill(pids[1] ?? 0, 'SIGKILL');
    await expectNothingLeft(running, pids);
  });
});

describe('npm start refuses in one line', () => {
  test('a taken port', async () => {
    await using data = await makeTempDir();
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const address = server.address();
    const port = typeof address === 'object' && address ? address.port : 0;
    expect(await mesh('up', '--data', data.path, '--port', String(port))).toEqual({
      code: 1,
      stdout: '',
      stderr: `error: Port ${port} is taken. Choose another with --port.\n`,
    });
    server.close();
  });

  test('a data folder that is none', async () => {
    await using data = await makeTempDir();
    const file = join(data.path, 'file');
    await writeFile(file, '');
    const { code, stderr } = await mesh('up', `--data=${file}`);
    expect(code).toBe(1);
    expect(stderr).toMatch(/^error: Data folder \S+ cannot be used: [^\n]+\n$/);
  });

  test('a bad tenants file, before anything starts', async () => {
    await using data = await makeTempDir();
    const file = join(data.path, 'tenants.yaml');
    await writeFile(file, 'tenants:\n  - id: a\n    wieght: 3\n');
    const { code, stderr } = await mesh('up', '--data', data.path, '--tenants', file);
    expect(code).toBe(1);
    expect(stderr).toBe(`error: ${file}: line 3, tenants[0].wieght: no such field\n`);
  });
});
