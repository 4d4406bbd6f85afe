import { GetItemCommand, PutItemCommand } from '@aws-sdk/client-dynamodb';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { names, startLocalCloud, type LocalCloud } from './local-cloud.ts';
import { awkwardKeys } from './awkward-keys.ts';

let cloud: LocalCloud;
beforeAll(async () => {
  cloud = await startLocalCloud();
});
afterAll(() => cloud[Symbol.asyncDispose]());

const item = async (tenant: string, sk: string) => {
  const key = { tenant: { S: tenant }, sk: { S: sk } };
  const command = new GetItemCommand({ TableName: names.kvTable, Key: key });
  return (await cloud.operator.dynamodb.send(command)).Item;
};

describe('the key-value store', () => {
  test.each(awkwardKeys)('keeps a value under the key %j', async (key) => {
    await cloud.call().writeKv(key, `value of ${key}`, undefined);
    expect(await cloud.call().readKv(key)).toBe(`value of ${key}`);
  });

  test('returns a value of nearly 400 KB, and an empty one, as they were', async () => {
    const large = 'ž🐎'.repeat(60_000);
    await cloud.call().writeKv('large', large, undefined);
    await cloud.call().writeKv('empty', '', undefined);
    expect(await cloud.call().readKv('large')).toBe(large);
    expect(await cloud.call().readKv('empty')).toBe('');
  });

  test('knows nothing of a key that was never written', async () => {
    expect(await cloud.call().readKv('never')).toBeUndefined();
  });

  test('never returns a value after its time, swept or not', async () => {
    await cloud.call().writeKv('brief', 'x', 1);
    await expect.poll(() => cloud.call().readKv('brief')).toBeUndefined();
    await cloud.call().writeKv('long', 'x', 3_600_000);
    expect(await cloud.call().readKv('long')).toBe('x');
  });

  test('honours an expiry that another writer gave in seconds alone', async () => {
    const put = (sk: string, expiresAt: number) =>
      cloud.operator.dynamodb.send(
        new PutItemCommand({
          TableName: names.kvTable,
          Item: {
            tenant: { S: 'acme' },
            sk: { S: sk },
            value: { S: 'x' },
            expires_at: { N: String(expiresAt) },
          },
        }),
      );
    const now = Math.floor(Date.now() / 1_000);
    await put('kv#past', now);
    await put('kv#ahead', now + 60);
    expect(await cloud.call().readKv('past')).toBeUndefined();
    expect(await cloud.call().readKv('ahead')).toBe('x');
  });

  test('gives the sweep whole epoch seconds, and nothing where a value never expires', async () => {
    const before = Math.floor(Date.now() / 1_000);
    await cloud.call().writeKv('dated', 'x', 90_500);
    await cloud.call().writeKv('undated', 'x', undefined);
    const dated = await item('acme', 'kv#dated');
    expect(Number(dated?.['expires_at']?.N)).toBeGreaterThan(before + 89);
    expect(dated?.['expires_at']?.N).toMatch(/^\d+$/);
    expect(Number(dated?.['created_at']?.N)).toBeGreaterThanOrEqual(before);
    expect(await item('acme', 'kv#undated')).not.toHaveProperty('expires_at');
  });

  test('drops an expiry when the value is written anew without one', async () => {
    await cloud.call().writeKv('renewed', 'x', 1);
    await cloud.call().writeKv('renewed', 'y', undefined);
    expect(await cloud.call().readKv('renewed')).toBe('y');
  });

  test('never undoes a later write when a call runs again', async () => {
    const first = { sequence: 1_000_001, attempt: 1 };
    await cloud.call(first).writeKv('x', '1', undefined);
    await cloud.call({ sequence: 1_000_002 }).writeKv('x', '2', undefined);
    await cloud.call({ ...first, attempt: 2 }).writeKv('x', '1', undefined);
    expect(await cloud.call().readKv('x')).toBe('2');
  });

  test('writes once, however often a call runs', async () => {
    const call = { sequence: 1_000_001 };
    await cloud.call(call).writeKv('again', 'x', 3_600_000);
    const written = await item('acme', 'kv#again');
    await cloud.call({ ...call, attempt: 2 }).writeKv('again', 'x', 3_600_000);
    expect(await item('acme', 'kv#again')).toEqual(written);
  });

  test('holds each tenant in a partition that is exactly its id', async () => {
    await cloud.call({ tenant: 'acme' }).writeKv('shared', 'of acme', undefined);
    await cloud.call({ tenant: 'acme-2' }).writeKv('shared', 'of acme-2', undefined);
    expect(await cloud.call({ tenant: 'acme' }).readKv('shared')).toBe('of acme');
    expect(await cloud.call({ tenant: 'globex' }).readKv('shared')).toBeUndefined();
    expect(await item('acme-2', 'kv#shared')).toMatchObject({ value: { S: 'of acme-2' } });
  });

  test('cannot reach an item of another kind in its own partition', async () => {
    const Item = { tenant: { S: 'acme' }, sk: { S: 'art#report' }, value: { S: 'bookkeeping' } };
    await cloud.operator.dynamodb.send(new PutItemCommand({ TableName: names.kvTable, Item }));
    expect(await cloud.call().readKv('art#report')).toBeUndefined();
  });
});
