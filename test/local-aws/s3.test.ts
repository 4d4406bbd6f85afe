import { createHash, randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import * as S from '@aws-sdk/client-s3';
import { Upload } from '@aws-sdk/lib-storage';
import { getSignedUrl } from '@aws-sdk/s3-request-presigner';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { refusal, startAws } from './support.ts';

const Bucket = 'artifacts';
let aws: Awaited<ReturnType<typeof startAws>>;
let client: S.S3Client;

beforeAll(async () => {
  aws = await startAws();
  client = aws.s3;
  await client.send(new S.CreateBucketCommand({ Bucket }));
});
afterAll(() => aws[Symbol.asyncDispose]());

const put = (
  Key: string,
  Body: S.PutObjectCommandInput['Body'],
  more: Partial<S.PutObjectCommandInput> = {},
) => client.send(new S.PutObjectCommand({ Bucket, Key, Body, ...more }));
const get = (Key: string, more: Partial<S.GetObjectCommandInput> = {}) =>
  client.send(new S.GetObjectCommand({ Bucket, Key, ...more }));
const bytes = async (answer: Promise<S.GetObjectCommandOutput>) =>
  Buffer.from((await (await answer).Body?.transformToByteArray()) ?? []);
const text = async (answer: Promise<S.GetObjectCommandOutput>) => (await bytes(answer)).toString();

describe('buckets', () => {
  test('are created, headed and listed', async () => {
    await client.send(new S.HeadBucketCommand({ Bucket }));
    const { Buckets } = await client.send(new S.ListBucketsCommand({}));
    expect(Buckets?.map(({ Name }) => Name)).toContain(Bucket);
    await refusal(client.send(new S.HeadBucketCommand({ Bucket: 'nothing' })), 'NotFound');
    await refusal(client.send(new S.CreateBucketCommand({ Bucket })), 'BucketAlreadyOwnedByYou');
  });
});

describe('objects', () => {
  test('come back as they were put, with type and metadata', async () => {
    await put('a/1.txt', 'hello', { ContentType: 'text/plain', Metadata: { tenant: 'a', v: '1' } });
    const answer = await get('a/1.txt');
    expect(await answer.Body?.transformToString()).toBe('hello');
    expect([answer.ContentType, answer.Metadata]).toEqual(['text/plain', { tenant: 'a', v: '1' }]);
    const head = await client.send(new S.HeadObjectCommand({ Bucket, Key: 'a/1.txt' }));
    expect([head.ContentLength, head.ETag]).toEqual([5, answer.ETag]);
  });

  test('may be empty', async () => {
    await put('empty', '');
    expect(await text(get('empty'))).toBe('');
  });

  test('arrive as streams of known length', async () => {
    const body = randomBytes(300_000);
    const Body = Readable.from([body.subarray(0, 100_000), body.subarray(100_000)]);
    await put('stream.bin', Body, { ContentLength: body.byteLength });
    expect((await bytes(get('stream.bin'))).equals(body)).toBe(true);
  });

  test.each(['CRC32', 'CRC32C', 'CRC64NVME', 'SHA1', 'SHA256'] as const)(
    'keep their %s',
    async (ChecksumAlgorithm) => {
      const sent = await put(`sums/${ChecksumAlgorithm}`, 'checksum me', { ChecksumAlgorithm });
      const kept = await get(`sums/${ChecksumAlgorithm}`, { ChecksumMode: 'ENABLED' });
      const name = `Checksum${ChecksumAlgorithm}` as const;
      expect(kept[name]).toMatch(/.+/);
      expect(sent[name]).toBe(kept[name]);
      expect(await kept.Body?.transformToString()).toBe('checksum me');
    },
  );

  test('with a wrong checksum are refused and not kept', async () => {
    const ChecksumSHA256 = createHash('sha256').update('other').digest('base64');
    await refusal(put('bad', 'x', { ChecksumSHA256 }), 'BadDigest');
    await refusal(get('bad'), 'NoSuchKey');
  });

  test('are read by ranges', async () => {
    await put('range', 'hello');
    const answer = await get('range', { Range: 'bytes=1-3' });
    expect(await answer.Body?.transformToString()).toBe('ell');
    expect([answer.ContentRange, answer.$metadata.httpStatusCode]).toEqual(['bytes 1-3/5', 206]);
    expect(await text(get('range', { Range: 'bytes=-2' }))).toBe('lo');
    expect(await text(get('range', { Range: 'bytes=3-' }))).toBe('lo');
    await refusal(get('range', { Range: 'bytes=100-' }), 'InvalidRange');
  });

  test('are put once with If-None-Match', async () => {
    await put('once', '1', { IfNoneMatch: '*' });
    const error = await refusal(put('once', '2', { IfNoneMatch: '*' }), 'PreconditionFailed');
    expect(error.$metadata.httpStatusCode).toBe(412);
    expect(await text(get('once'))).toBe('1');
  });

  test('are replaced by who has seen them, with If-Match', async () => {
    const { ETag } = await put('cas', '1');
    await put('cas', '2', { IfMatch: ETag });
    await refusal(put('cas', '3', { IfMatch: ETag }), 'PreconditionFailed');
    await refusal(put('never', '3', { IfMatch: ETag }), 'NoSuchKey');
    const racing = await put('cas', 'base');
    const outcomes = await Promise.allSettled(
      ['a', 'b', 'c'].map((body) => put('cas', body, { IfMatch: racing.ETag })),
    );
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
  });

  test('are not sent again to who has them', async () => {
    const { ETag } = await put('cached', 'x');
    const error = await get('cached', { IfNoneMatch: ETag }).catch((error: unknown) => error);
    expect(error).toMatchObject({ $metadata: { httpStatusCode: 304 } });
    await refusal(get('cached', { IfMatch: '"other"' }), 'PreconditionFailed');
  });

  test('bear any key of UTF-8', async () => {
    const keys = ['t/ž š+&?#%20 x=1/(é).txt', 'c/\u0001\n\t\u007f', 'q/\'"<>&', 'e/🐎/..//./*'];
    for (const key of keys) await put(key, key);
    for (const key of keys) expect(await text(get(key))).toBe(key);
    for (const [Prefix] of keys) {
      const listed = await client.send(
        new S.ListObjectsV2Command({ Bucket, Prefix: `${Prefix}/`, EncodingType: 'url' }),
      );
      const key = listed.Contents?.at(-1)?.Key ?? '';
      expect(keys).toContain(decodeURIComponent(key.replaceAll('+', ' ')));
    }
    await refusal(put('k'.repeat(1_025), ''), 'KeyTooLongError');
  });

  test('are copied, and deleted many at once', async () => {
    const Key = 'copy/é &+ 1';
    await put(Key, 'u', { Metadata: { a: '1' } });
    const CopySource = encodeURIComponent(`${Bucket}/${Key}`);
    await client.send(new S.CopyObjectCommand({ Bucket, Key: 'copy/2', CopySource }));
    expect((await get('copy/2')).Metadata).toEqual({ a: '1' });
    const { Deleted } = await client.send(
      new S.DeleteObjectsCommand({
        Bucket,
        Delete: { Objects: [{ Key }, { Key: 'copy/2' }, { Key: 'copy/\u0001' }] },
      }),
    );
    expect(Deleted).toHaveLength(3);
    await refusal(get(Key), 'NoSuchKey');
    await client.send(new S.DeleteObjectCommand({ Bucket, Key: 'copy/2' }));
  });

  test('stop being sent when the client stops', async () => {
    await put('abort', 'x');
    const controller = new AbortController();
    controller.abort();
    await refusal(
      client.send(new S.GetObjectCommand({ Bucket, Key: 'abort' }), {
        abortSignal: controller.signal,
      }),
      'AbortError',
    );
  });
});

describe('listings', () => {
  const keys = Array.from(
    { length: 25 },
    (_, index) => `l/${index % 5}/f${String(index).padStart(2, '0')}`,
  );
  beforeAll(async () => {
    for (const key of keys) await put(key, '.');
  });

  test('page through a prefix in order', async () => {
    const found: (string | undefined)[] = [];
    const pages = S.paginateListObjectsV2({ client, pageSize: 7 }, { Bucket, Prefix: 'l/' });
    for await (const page of pages) found.push(...(page.Contents ?? []).map(({ Key }) => Key));
    expect(found).toEqual(keys.toSorted());
  });

  test('roll keys up to a delimiter, also over pages', async () => {
    const found: (string | undefined)[] = [];
    const pages = S.paginateListObjectsV2(
      { client, pageSize: 2 },
      { Bucket, Prefix: 'l/', Delimiter: '/' },
    );
    for await (const page of pages)
      found.push(...(page.CommonPrefixes ?? []).map(({ Prefix }) => Prefix));
    expect(found).toEqual(['l/0/', 'l/1/', 'l/2/', 'l/3/', 'l/4/']);
  });

  test('begin after a key', async () => {
    const { Contents } = await client.send(
      new S.ListObjectsV2Command({ Bucket, Prefix: 'l/', StartAfter: 'l/4/f19' }),
    );
    expect(Contents?.map(({ Key }) => Key)).toEqual(['l/4/f24']);
  });

  test('order by UTF-8 bytes', async () => {
    const order = ['o/Z', 'o/a', 'o/é', 'o/\uffee', 'o/🐎'];
    for (const key of order.toReversed()) await put(key, '');
    const { Contents } = await client.send(new S.ListObjectsV2Command({ Bucket, Prefix: 'o/' }));
    expect(Contents?.map(({ Key }) => Key)).toEqual(order);
  });
});

describe('uploads in parts', () => {
  const begin = async (Key: string) =>
    (await client.send(new S.CreateMultipartUploadCommand({ Bucket, Key }))).UploadId ?? '';
  const part = (Key: string, UploadId: string, PartNumber: number, Body: Buffer) =>
    client.send(new S.UploadPartCommand({ Bucket, Key, UploadId, PartNumber, Body }));

  test('join to the whole', async () => {
    const body = randomBytes(12 * 1_048_576);
    const upload = new Upload({
      client,
      params: { Bucket, Key: 'mp.bin', Body: Readable.from([body]) },
      partSize: 5 * 1_048_576,
      queueSize: 3,
    });
    expect((await upload.done()).ETag).toMatch(/-3"$/);
    expect((await bytes(get('mp.bin'))).equals(body)).toBe(true);
  });

  test('are listed and aborted', async () => {
    const UploadId = await begin('ab');
    await part('ab', UploadId, 1, Buffer.alloc(1_000));
    const list = () => client.send(new S.ListPartsCommand({ Bucket, Key: 'ab', UploadId }));
    expect((await list()).Parts).toHaveLength(1);
    await client.send(new S.AbortMultipartUploadCommand({ Bucket, Key: 'ab', UploadId }));
    await refusal(list(), 'NoSuchUpload');
  });

  test('refuse small parts before the last', async () => {
    const UploadId = await begin('small');
    const Parts = [];
    for (const PartNumber of [1, 2]) {
      const { ETag } = await part('small', UploadId, PartNumber, Buffer.alloc(1_000));
      Parts.push({ PartNumber, ETag });
    }
    await refusal(
      client.send(
        new S.CompleteMultipartUploadCommand({
          Bucket,
          Key: 'small',
          UploadId,
          MultipartUpload: { Parts },
        }),
      ),
      'EntityTooSmall',
    );
  });
});

describe('presigned URLs', () => {
  test('put and get', async () => {
    const putUrl = await getSignedUrl(
      client,
      new S.PutObjectCommand({ Bucket, Key: 'pre', ContentType: 'text/plain' }),
      { expiresIn: 60 },
    );
    const headers = { 'content-type': 'text/plain' };
    expect((await fetch(putUrl, { method: 'PUT', body: 'presigned', headers })).status).toBe(200);
    const getUrl = await getSignedUrl(
      client,
      new S.GetObjectCommand({
        Bucket,
        Key: 'pre',
        ResponseContentDisposition: 'attachment; filename="x"',
      }),
      { expiresIn: 60 },
    );
    const answer = await fetch(getUrl);
    expect(await answer.text()).toBe('presigned');
    expect(answer.headers.get('content-disposition')).toMatch(/attachment/);
  });

  test('expire', async () => {
    const url = await getSignedUrl(client, new S.GetObjectCommand({ Bucket, Key: 'pre' }), {
      expiresIn: 5,
      signingDate: new Date(Date.now() - 10_000),
    });
    expect((await fetch(url)).status).toBe(403);
  });

  test('open nothing else', async () => {
    const url = await getSignedUrl(client, new S.GetObjectCommand({ Bucket, Key: 'pre' }), {
      expiresIn: 60,
    });
    expect((await fetch(url.replace('/pre?', '/once?'))).status).toBe(403);
    expect((await fetch(url, { method: 'PUT', body: 'x' })).status).toBe(403);
    expect((await fetch(url, { headers: { 'x-amz-meta-a': '1' } })).status).toBe(403);
  });
});

describe('what it does not have', () => {
  test('is refused by name', async () => {
    const tagging = await refusal(
      client.send(new S.GetObjectTaggingCommand({ Bucket, Key: 'a/1.txt' })),
      'NotImplemented',
    );
    expect(tagging.message).toMatch(/tagging/i);
    const acl = await refusal(put('acl', 'x', { ACL: 'public-read' }), 'NotImplemented');
    expect(acl.message).toContain('x-amz-acl');
    await refusal(
      client.send(
        new S.PutBucketVersioningCommand({
          Bucket,
          VersioningConfiguration: { Status: 'Enabled' },
        }),
      ),
      'NotImplemented',
    );
  });
});
