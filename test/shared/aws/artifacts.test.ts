import { randomBytes } from 'node:crypto';
import { GetObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { awkwardKeys } from './awkward-keys.ts';
import { names, startLocalCloud, type LocalCloud } from './local-cloud.ts';

const limit = 2 * 1024 * 1024;
const bytes = (text: string) => new TextEncoder().encode(text);

let cloud: LocalCloud;
beforeAll(async () => {
  cloud = await startLocalCloud();
});
afterAll(() => cloud[Symbol.asyncDispose]());

const read = async (key: string, tenant = 'acme') => {
  const body = await cloud.call({ tenant }).readArtifact(key, limit);
  return body && Buffer.from(body).toString();
};

describe('artifacts', () => {
  test('come back byte for byte', async () => {
    for (const body of [Buffer.alloc(0), Buffer.from([0, 255, 13, 10, 26]), randomBytes(limit)]) {
      await cloud.call().writeArtifact('binary', body, 'application/octet-stream');
      const back = await cloud.call().readArtifact('binary', limit);
      expect(Buffer.compare(Buffer.from(back ?? 'missing'), body)).toBe(0);
    }
  });

  test.each(awkwardKeys)('are kept and listed under the key %j', async (key) => {
    const tenant = 'awkward';
    await cloud.call({ tenant }).writeArtifact(key, bytes(`body of ${key}`), 'text/plain');
    expect(await read(key, tenant)).toBe(`body of ${key}`);
    expect(await cloud.call({ tenant }).listArtifacts(key)).toContain(key);
  });

  test('are listed in UTF-8 order', async () => {
    const tenant = 'ordered';
    // By UTF-16 units the horse would come before the fullwidth letter.
    const keys = ['a', 'b/c', 'é', 'ａ', '🐎'];
    for (const key of keys.toReversed()) {
      await cloud.call({ tenant }).writeArtifact(key, bytes('x'), 'text/plain');
    }
    expect(await cloud.call({ tenant }).listArtifacts('')).toEqual(keys);
  });

  test('are objects at <tenant>/<key> that any S3 client reads', async () => {
    await cloud.call().writeArtifact('reports/1', bytes('x'), 'application/pdf');
    const command = new GetObjectCommand({ Bucket: names.artifactsBucket, Key: 'acme/reports/1' });
    const object = await cloud.operator.s3.send(command);
    expect(object.ContentType).toBe('application/pdf');
    expect(await object.Body?.transformToString()).toBe('x');
  });

  test('that do not exist are undefined, not an error', async () => {
    expect(await read('never')).toBeUndefined();
  });

  test('above the limit are refused with both sizes', async () => {
    await cloud.call().writeArtifact('large', Buffer.alloc(limit + 1), 'text/plain');
    await expect(cloud.call().readArtifact('large', limit)).rejects.toMatchObject({
      code: 'payload_too_large',
      message: expect.stringMatching(/2097153.*2097152/),
      link: {
        uri: 'mesh://artifacts/large',
        name: 'large',
        mimeType: 'text/plain',
        size: limit + 1,
      },
    });
  });

  test('of one tenant are nothing to another, not even one whose id it begins with', async () => {
    await cloud.call({ tenant: 'near' }).writeArtifact('k', bytes('of near'), 'text/plain');
    await cloud.call({ tenant: 'near-by' }).writeArtifact('k', bytes('of near-by'), 'text/plain');
    expect(await read('k', 'near')).toBe('of near');
    expect(await cloud.call({ tenant: 'near' }).listArtifacts('')).toEqual(['k']);
    expect(await read('near-by/k', 'near')).toBeUndefined();
  });

  test('are listed to the last page', async () => {
    const tenant = 'many';
    const keys = Array.from({ length: 2_100 }, (_, n) => `n/${String(n).padStart(5, '0')}`);
    const put = (key: string) =>
      cloud.operator.s3.send(
        new PutObjectCommand({ Bucket: names.artifactsBucket, Key: `${tenant}/${key}`, Body: 'x' }),
      );
    for (let at = 0; at < keys.length; at += 50) {
      await Promise.all(keys.slice(at, at + 50).map(put));
    }
    expect(await cloud.call({ tenant }).listArtifacts('n/')).toEqual(keys);
    expect(await cloud.call({ tenant }).listArtifacts('n/0000')).toEqual(keys.slice(0, 10));
  });

  test('have no key that starts with a prefix longer than any key, or with broken text', async () => {
    expect(await cloud.call().listArtifacts('🐎'.repeat(300))).toEqual([]);
    expect(await cloud.call().listArtifacts('\ud800')).toEqual([]);
  });
});

describe('an artifact put that runs again', () => {
  const put = (key: string, text: string, sequence: number, attempt: number) =>
    cloud.call({ sequence, attempt }).writeArtifact(key, bytes(text), 'text/plain');

  test('never undoes a later one', async () => {
    await put('x', '1', 101, 1);
    await put('x', '2', 102, 1);
    await put('x', '1', 101, 2);
    expect(await read('x')).toBe('2');
  });

  test('puts where the first attempt had not', async () => {
    await put('fresh', '1', 101, 2);
    expect(await read('fresh')).toBe('1');
  });

  test('puts over an earlier one, whether or not that has a number', async () => {
    await put('older', '1', 101, 1);
    await put('older', '2', 102, 2);
    expect(await read('older')).toBe('2');
    const foreign = { Bucket: names.artifactsBucket, Key: 'acme/foreign', Body: 'x' };
    await cloud.operator.s3.send(new PutObjectCommand(foreign));
    await put('foreign', '2', 102, 2);
    expect(await read('foreign')).toBe('2');
  });

  test('leaves the latest of many that race', async () => {
    const sequences = Array.from({ length: 6 }, (_, n) => 200 + n);
    await Promise.all(sequences.map((n) => put('race', String(n), n, 2)));
    expect(await read('race')).toBe('205');
  });
});
