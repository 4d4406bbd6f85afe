import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { tools } from '../../../services/worker/tools.ts';
import type { ToolName } from '../../../shared/tools/catalog.ts';
import { startLocalCloud, type LocalCloud } from '../../shared/aws/local-cloud.ts';
import { noAws, runTool } from './run-tool.ts';

const limit = 2 * 1024 * 1024;

let cloud: LocalCloud;
beforeAll(async () => {
  cloud = await startLocalCloud();
});
afterAll(() => cloud[Symbol.asyncDispose]());

const run = (tool: ToolName, input: unknown, tenant = 'acme') =>
  runTool(tools[tool], input, { aws: cloud.call({ tenant }) });

describe('kv_get and kv_set', () => {
  test('keep a value', async () => {
    expect(await run('kv_get', { key: 'k' })).toEqual({ value: null });
    expect(await run('kv_set', { key: 'k', value: 'v "quoted" 🐎' })).toEqual({ success: true });
    expect(await run('kv_get', { key: 'k' })).toEqual({ value: 'v "quoted" 🐎' });
  });

  test('let a value expire after ttl_hours, after a day if not told, and never at 0', async () => {
    const asked: (number | undefined)[] = [];
    const aws = {
      ...noAws,
      writeKv: async (_: string, __: string, ttlMs: number | undefined) => void asked.push(ttlMs),
    };
    for (const ttl of [{ ttl_hours: 0.5 }, {}, { ttl_hours: 0 }]) {
      await runTool(tools.kv_set, { key: 'k', value: 'v', ...ttl }, { aws });
    }
    expect(asked).toEqual([1_800_000, 86_400_000, undefined]);
  });

  test('forget a value whose time is over', async () => {
    await run('kv_set', { key: 'brief', value: 'v', ttl_hours: 1 / 3_600_000 });
    await expect.poll(() => run('kv_get', { key: 'brief' })).toEqual({ value: null });
  });
});

describe('the artifact tools', () => {
  test('keep any bytes up to the limit', async () => {
    for (const bytes of [0, 1, 2, 3, limit]) {
      const content = randomBytes(bytes).toString('base64');
      await run('artifacts_put', { key: 'binary', content });
      const back = await run('artifacts_get', { key: 'binary' });
      expect(back).toEqual({ content, encoding: 'base64' });
    }
  });

  test('refuse to put or get more than the limit, and name it', async () => {
    const tooMuch = { code: 'payload_too_large', message: expect.stringContaining('2097152') };
    const content = Buffer.alloc(limit + 1).toString('base64');
    await expect(runTool(tools.artifacts_put, { key: 'k', content })).rejects.toMatchObject(
      tooMuch,
    );
    await cloud.call().writeArtifact('large', Buffer.alloc(limit + 1), 'text/plain');
    await expect(run('artifacts_get', { key: 'large' })).rejects.toMatchObject(tooMuch);
  });

  test('answer null for what is not there', async () => {
    expect(await run('artifacts_get', { key: 'never' })).toEqual({ content: null });
  });

  test('list what the tenant has, with and without a prefix', async () => {
    for (const key of ['a/1', 'a/2', 'b/1']) {
      await run('artifacts_put', { key, content: 'eA==' }, 'lister');
    }
    const list = (input: unknown, tenant = 'lister') => run('artifacts_list', input, tenant);
    expect(await list({})).toEqual({ keys: ['a/1', 'a/2', 'b/1'] });
    expect(await list({ prefix: 'a/' })).toEqual({ keys: ['a/1', 'a/2'] });
    expect(await list({}, 'other')).toEqual({ keys: [] });
  });
});

test('events_send publishes', async () => {
  const event = { detailType: 'order.placed', detail: { lines: [{ n: 1 }] } };
  expect(await run('events_send', event)).toEqual({ success: true });
});
