import { execFile } from 'node:child_process';
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { startUp } from '../support/mesh.ts';
import { makeTempDir, type TempDir } from '../support/temp-dir.ts';
import { startStdio, toolCall, type TestStdio } from './a-stdio.ts';

const run = promisify(execFile);
const patient = { timeout: 60_000, interval: 100 };

let data: TempDir;

beforeAll(async () => {
  data = await makeTempDir();
});
afterAll(() => data[Symbol.asyncDispose]());

const open = (): TestStdio => startStdio([`--data=${data.path}`]);

/** Everything that runs on the data folder: processes that name it, and servers in their care. */
async function processesOf(folder: string): Promise<readonly string[]> {
  const { stdout } = await run('ps', ['-e', '-o', 'pid=,stat=,args=']);
  return stdout.split('\n').filter((line) => line.includes(folder) && !/^\s*\d+\s+Z/.test(line));
}

async function untilNothingRuns(): Promise<void> {
  await vi.waitFor(async () => expect(await processesOf(data.path)).toEqual([]), patient);
  await expect(stat(join(data.path, 'up.json'))).rejects.toThrow('ENOENT');
}

async function readUp(): Promise<{ readonly mcp: string }> {
  return JSON.parse(await readFile(join(data.path, 'up.json'), 'utf8'));
}

describe('stdio without a URL', { timeout: 180_000 }, () => {
  test('starts one cluster for two that start at once; either may go first, and the last takes it along', async () => {
    await using first = open();
    await using second = open();
    const set = toolCall('kv_set', { key: 'shared', value: 'yes' });
    first.send(set);
    second.send(set);
    const answers = [await first.next(), await second.next()];
    expect(answers.map(({ result }) => result?.structuredContent)).toEqual([
      { success: true },
      { success: true },
    ]);
    const keepers = (await processesOf(data.path)).filter((line) => line.includes('keep-cluster'));
    expect(keepers).toHaveLength(1);
    const starters = [first, second].filter((each) => each.stderr().includes('starting'));
    expect(starters.length).toBeGreaterThan(0);
    const [starter = first] = starters;
    const other = starter === first ? second : first;

    starter.child.kill('SIGKILL');
    await starter.ended;
    // Longer than a cluster without users stays.
    await new Promise((resolve) => setTimeout(resolve, 3_000));
    other.send(toolCall('kv_get', { key: 'shared' }, 2));
    expect((await other.next()).result?.structuredContent).toEqual({ value: 'yes' });
    other.end();
    expect(await other.ended).toBe(0);
    await untilNothingRuns();
  });

  test('answers a line that was piped in, though the cluster has yet to start', async () => {
    await using stdio = open();
    stdio.send(toolCall('kv_get', { key: 'shared' }));
    stdio.end();
    expect((await stdio.next()).result?.structuredContent).toEqual({ value: 'yes' });
    expect(await stdio.ended).toBe(0);
    await untilNothingRuns();
  });

  test.each([[], ['--compat=mcp-rust']])(
    'joins the cluster of mesh up, and starts its own once that is gone (%s)',
    async (...args) => {
      const running = await startUp(data.path);
      await using stdio = startStdio([...args, `--data=${data.path}`]);
      const get = async (): Promise<unknown> => {
        const caller = { tenant_id: 'demo-tenant', user_id: 'user-demo-123' };
        stdio.send({ ...toolCall('kv_get', { key: 'shared' }), ...caller });
        const { result, error } = await stdio.next();
        return result?.structuredContent ?? result ?? error;
      };
      expect(await get()).toEqual({ value: 'yes' });
      expect(stdio.stderr()).toBe('');
      const before = await readUp();

      const ended = new Promise((resolve) => running.child.once('exit', resolve));
      running.child.kill('SIGTERM');
      await ended;
      expect(await get()).toEqual({ value: 'yes' });
      expect((await readUp()).mcp).not.toBe(before.mcp);
      stdio.end();
      await stdio.ended;
      await untilNothingRuns();
    },
  );

  test('says in each answer why no cluster can be started', async () => {
    await using stdio = startStdio([`--data=${data.path}`], { PATH: '/nonexistent' });
    const answer = await stdio.ask('tools/list');
    expect(answer).toMatchObject({ id: 1, error: { code: -32_603 } });
    expect(answer.error?.message).toMatch(/Redis/);
    stdio.end();
    expect(await stdio.ended).toBe(0);
  });

  test('keeps what the cluster says, the demo key among it, to its owner', async () => {
    const log = join(data.path, 'logs/stdio-cluster.log');
    expect((await stat(log)).mode & 0o777).toBe(0o600);
  });
});
