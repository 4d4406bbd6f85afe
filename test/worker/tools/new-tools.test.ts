import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { implement } from '../../../services/worker/implement.ts';
import { tools } from '../../../services/worker/tools.ts';
import type { ToolName } from '../../../shared/tools/catalog.ts';
import { diagnosticsEcho } from '../../../shared/tools/diagnostics-echo.ts';
import { startLocalCloud, type LocalCloud } from '../../shared/aws/local-cloud.ts';
import { noAws, runTool } from './run-tool.ts';

let cloud: LocalCloud;
beforeAll(async () => {
  cloud = await startLocalCloud();
});
afterAll(() => cloud[Symbol.asyncDispose]());

const run = (tool: ToolName, input: unknown, given: Parameters<typeof cloud.call>[0] = {}) =>
  runTool(tools[tool], input, { aws: cloud.call(given) });

describe('kv_delete', () => {
  test('removes a value, and says whether there was one', async () => {
    await run('kv_set', { key: 'k', value: 'v' });
    expect(await run('kv_delete', { key: 'k' })).toEqual({ deleted: true });
    expect(await run('kv_get', { key: 'k' })).toEqual({ value: null });
    expect(await run('kv_delete', { key: 'k' })).toEqual({ deleted: false });
    await run('kv_set', { key: 'k', value: 'again' });
    expect(await run('kv_get', { key: 'k' })).toEqual({ value: 'again' });
  });

  test('is never undone by an older call that runs again', async () => {
    const tenant = 'undone';
    const set = { tenant, sequence: 1 };
    for (const key of ['written', 'never written']) {
      if (key === 'written') await run('kv_set', { key, value: 'v' }, set);
      await run('kv_delete', { key }, { tenant, sequence: 2 });
      await run('kv_set', { key, value: 'v' }, { ...set, attempt: 2 });
      expect(await run('kv_get', { key }, { tenant })).toEqual({ value: null });
    }
  });

  test('says the same when it runs again', async () => {
    const call = { tenant: 'again', sequence: 9_000_002 };
    await run('kv_set', { key: 'k', value: 'v' }, { tenant: 'again', sequence: 9_000_001 });
    expect(await run('kv_delete', { key: 'k' }, call)).toEqual({ deleted: true });
    const again = await run('kv_delete', { key: 'k' }, { ...call, attempt: 2 });
    expect(again).toEqual({ deleted: true });
  });
});

describe('kv_list', () => {
  const tenant = 'lister';
  const list = (input: object, of = tenant) => run('kv_list', input, { tenant: of });

  test('pages through every key once, in order, and skips what is gone', async () => {
    const keys = Array.from({ length: 25 }, (_, n) => `p/${String(n).padStart(2, '0')}`);
    for (const key of [...keys, 'q/1']) {
      await run('kv_set', { key, value: 'v', ttl_hours: 0 }, { tenant });
    }
    await run('kv_set', { key: 'p/99', value: 'v', ttl_hours: 1e-7 }, { tenant });
    await run('kv_delete', { key: 'p/07' }, { tenant });
    const seen: string[] = [];
    let cursor: string | undefined;
    do {
      const page = await cloud.call({ tenant }).listKv('p/', cursor, 10);
      seen.push(...page.keys.map(({ key }) => key));
      cursor = page.cursor;
    } while (cursor !== undefined);
    expect(seen).toEqual(keys.filter((key) => key !== 'p/07'));
    expect(await list({ prefix: 'q/' })).toEqual({ keys: [{ key: 'q/1' }] });
    expect(await list({}, 'nobody')).toEqual({ keys: [] });
  });

  test('says when a key expires', async () => {
    await run('kv_set', { key: 'dated', value: 'v', ttl_hours: 1 }, { tenant: 'dater' });
    const before = Date.now();
    const { keys } = await cloud.call({ tenant: 'dater' }).listKv('', undefined, 10);
    expect(keys[0]?.expiresAt).toBeGreaterThan(before + 3_500_000);
    expect(await list({}, 'dater')).toEqual({
      keys: [{ key: 'dated', expires_at: new Date(keys[0]?.expiresAt ?? 0).toISOString() }],
    });
  });

  test('refuses a cursor of another tenant, of another prefix, or made up', async () => {
    const { cursor } = await cloud.call({ tenant }).listKv('p/', undefined, 1);
    expect(await list({ prefix: 'p/', cursor, limit: 1 })).toMatchObject({
      keys: [{ key: 'p/01' }],
    });
    const foreign = [
      list({ prefix: 'p/', cursor }, 'nobody'),
      list({ prefix: 'p', cursor }),
      list({ prefix: 'p/', cursor: 'bm9uc2Vuc2U' }),
    ];
    for (const each of foreign)
      await expect(each).rejects.toMatchObject({ code: 'invalid_arguments' });
  });
});

describe('the artifact tools', () => {
  test('artifacts_delete removes an artifact, and says whether there was one', async () => {
    await run('artifacts_put', { key: 'k', content: 'eA==' });
    expect(await run('artifacts_delete', { key: 'k' })).toEqual({ deleted: true });
    expect(await run('artifacts_delete', { key: 'k' })).toEqual({ deleted: false });
    expect(await run('artifacts_get', { key: 'k' })).toEqual({ content: null });
  });

  test('artifacts_url tells how to upload and download', async () => {
    expect(await run('artifacts_url', { key: 'u', method: 'put', bytes: 5 })).toEqual({
      url: expect.stringMatching(/^http.*X-Amz-Signature/),
      method: 'PUT',
      headers: expect.objectContaining({ 'content-length': '5', 'if-none-match': '*' }),
      expires_at: expect.any(String),
    });
    expect(await run('artifacts_url', { key: 'u', method: 'get' })).toEqual({
      url: expect.stringMatching(/^http.*X-Amz-Signature/),
      method: 'GET',
      expires_at: expect.any(String),
    });
    const unsized = run('artifacts_url', { key: 'u', method: 'put' });
    await expect(unsized).rejects.toMatchObject({ code: 'invalid_arguments' });
    const long = run('artifacts_url', { key: 'u', method: 'get', expires_seconds: 3_601 });
    await expect(long).rejects.toMatchObject({ code: 'invalid_arguments' });
  });
});

test('usage_get tells what is held against each limit', async () => {
  const tenant = 'user';
  await run('kv_set', { key: 'k', value: 'vv' }, { tenant });
  await run('artifacts_put', { key: 'a', content: 'eHh4' }, { tenant });
  expect(await run('usage_get', {}, { tenant })).toEqual({
    kv_bytes: { used: 3, limit: 100_000_000 },
    artifacts: { used: 1, limit: 1_000 },
    artifact_bytes: { used: 3, limit: 10_000_000_000 },
  });
});

describe('credentials', () => {
  const name = { service: 'github', connection: 'work' };

  test('are stored, named and deleted by tools, and read by none of them', async () => {
    const secret = { token: 't-123', scopes: ['repo'] };
    expect(await run('credentials_put', { ...name, secret })).toEqual({ success: true });
    expect(await run('credentials_list', {})).toEqual({
      credentials: [{ ...name, updated_at: expect.any(String) }],
    });
    const reader = implement(diagnosticsEcho, async (_, { credentials }) => ({
      text: String((await credentials.read('github', 'work'))?.length),
    }));
    const { credentials } = cloud.call();
    const text = String(JSON.stringify(secret).length);
    expect(await runTool(reader, { text: '' }, { credentials })).toEqual({ text });
    expect(await run('credentials_delete', name)).toEqual({ deleted: true });
    expect(await run('credentials_delete', name)).toEqual({ deleted: false });
    expect(await run('credentials_list', {})).toEqual({ credentials: [] });
    expect(await credentials.read('github', 'work')).toBeUndefined();
  });

  test('are each user’s own', async () => {
    await run('credentials_put', { ...name, secret: 's' }, { user: 'ann' });
    for (const other of [{ user: 'ann.b' }, { user: 'bob' }, { tenant: 'globex', user: 'ann' }]) {
      expect(await run('credentials_list', {}, other)).toEqual({ credentials: [] });
      expect(await cloud.call(other).credentials.read('github', 'work')).toBeUndefined();
    }
  });

  test('are never brought back by an older call that runs again', async () => {
    const tenant = 'rerun';
    await run('credentials_put', { ...name, secret: 'old' }, { tenant, sequence: 1 });
    await run('credentials_put', { ...name, secret: 'new' }, { tenant, sequence: 2 });
    await run('credentials_put', { ...name, secret: 'old' }, { tenant, sequence: 1, attempt: 2 });
    expect(await cloud.call({ tenant }).credentials.read('github', 'work')).toBe('new');
    await run('credentials_delete', name, { tenant, sequence: 3 });
    await run('credentials_put', { ...name, secret: 'new' }, { tenant, sequence: 2, attempt: 2 });
    expect(await cloud.call({ tenant }).credentials.read('github', 'work')).toBeUndefined();
  });

  test('have names that stay inside their path', async () => {
    for (const service of ['', 'a/b', 'ž', 'x'.repeat(65)]) {
      const end = runTool(tools.credentials_put, { ...name, service, secret: 's' }, { aws: noAws });
      await expect(end).rejects.toMatchObject({ code: 'invalid_arguments' });
    }
  });

  test('are marked, so that nothing records them, and kept out of refusals', async () => {
    expect(tools.credentials_put.contract.sensitive).toEqual(['secret']);
    const tooLong = 'hush'.repeat(20_000);
    const end = runTool(tools.credentials_put, { ...name, secret: tooLong }, { aws: noAws });
    await expect(end).rejects.toMatchObject({ message: expect.not.stringContaining('hush') });
  });
});
