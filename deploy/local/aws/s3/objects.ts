/** Whole objects: put, get, head, copy and delete, with their conditions and ranges. */
import { randomUUID } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { copyFile, open } from 'node:fs/promises';
import type { IncomingHttpHeaders } from 'node:http';
import { isAllowed } from '../access.ts';
import { AwsError } from '../aws-error.ts';
import { innerXml, textOf, type Elements } from '../xml.ts';
import { checkReadConditions, checkWriteConditions } from './conditions.ts';
import { contentOf, receive, type Incoming } from './incoming.ts';
import type { Description, ObjectStore, StoredObject } from './object-store.ts';
import { byteRange } from './ranges.ts';
import { copySource, listAccess, objectAccess } from './s3-operations.ts';
import { accessDenied, header, noSuchKey, type S3Answer, type S3Request } from './s3-request.ts';

const maxKeyBytes = 1_024;
const maxMetadataBytes = 2_048;
const keptHeaders = [
  'cache-control',
  'content-disposition',
  'content-encoding',
  'content-language',
  'expires',
];

export async function putObject(request: S3Request, store: ObjectStore): Promise<S3Answer> {
  const { bucket, key, headers } = request;
  checkKey(key);
  const description = describe(headers);
  checkWriteConditions(headers, store.get(bucket, key));
  const incoming = await receive(request.message, request.bodyHash, store.files);
  const object = toObject(incoming, description);
  const previous = await putIfStill(request, store, object);
  return {
    headers: { etag: object.etag, ...checksumHeader(object) },
    afterwards: () => store.files.remove(previous ? [previous.file] : []),
  };
}

/** The condition is asked again, now that nothing can come between it and the change. */
async function putIfStill(
  { bucket, key, headers }: S3Request,
  store: ObjectStore,
  object: StoredObject,
): Promise<StoredObject | undefined> {
  try {
    checkWriteConditions(headers, store.get(bucket, key));
  } catch (error) {
    await store.files.remove([object.file]);
    throw error;
  }
  return store.put(bucket, key, object);
}

function toObject(incoming: Incoming, description: Description): StoredObject {
  const { md5, ...content } = incoming;
  return { ...content, ...description, etag: `"${md5}"`, modifiedAt: Date.now() };
}

export async function getObject(request: S3Request, store: ObjectStore): Promise<S3Answer> {
  const { headers, query, method } = request;
  const [object, handle] = await openObject(request, store);
  try {
    checkReadConditions(headers, object);
    const range = byteRange(header(headers, 'range'), object.size);
    const [start, end] = range ?? [0, object.size - 1];
    const wantsChecksum = header(headers, 'x-amz-checksum-mode') === 'ENABLED' && !range;
    const answer = {
      status: range ? 206 : 200,
      headers: {
        ...objectHeaders(object),
        ...(wantsChecksum ? checksumHeader(object) : {}),
        ...overrides(query),
        'content-length': String(end - start + 1),
        ...(range ? { 'content-range': `bytes ${start}-${end}/${object.size}` } : {}),
      },
    };
    if (method === 'HEAD' || end < start) {
      await handle.close();
      return answer;
    }
    return { ...answer, stream: createReadStream('', { fd: handle, start, end }) };
  } catch (error) {
    await handle.close();
    throw error;
  }
}

/** Opened before anything is awaited twice: a later put removes the file once nobody can name it. */
async function openObject({ bucket, key, caller }: S3Request, store: ObjectStore) {
  for (;;) {
    const object = store.get(bucket, key);
    if (!object) {
      // Without the right to list the bucket, S3 does not tell a missing object from a forbidden one.
      if (isAllowed(caller, listAccess(bucket, null))) throw noSuchKey(key);
      throw accessDenied(
        'Access Denied. The key does not exist, which S3 only says to callers with s3:ListBucket on the whole bucket.',
      );
    }
    try {
      return [object, await open(store.files.path(object.file), 'r')] as const;
    } catch (error) {
      if (store.get(bucket, key) === object) throw error;
    }
  }
}

export async function copyObject(request: S3Request, store: ObjectStore): Promise<S3Answer> {
  const { bucket, key, headers } = request;
  checkKey(key);
  const source = copySource(headers['x-amz-copy-source']);
  const original = store.buckets.has(source.bucket) && store.get(source.bucket, source.key);
  if (!original) throw noSuchKey(source.key);
  const replaces = header(headers, 'x-amz-metadata-directive') === 'REPLACE';
  if (!replaces && source.bucket === bucket && source.key === key) {
    throw new AwsError(
      'InvalidRequest',
      "This copy request is illegal because it is trying to copy an object to itself without changing the object's metadata.",
    );
  }
  const file = randomUUID();
  await copyFile(store.files.path(original.file), store.files.path(file));
  const copy = {
    ...original,
    ...(replaces ? describe(headers) : {}),
    file,
    modifiedAt: Date.now(),
  };
  const previous = await putIfStill(request, store, copy);
  return {
    xml: [
      'CopyObjectResult',
      [
        ['ETag', copy.etag],
        ['LastModified', new Date(copy.modifiedAt).toISOString()],
      ],
    ],
    afterwards: () => store.files.remove(previous ? [previous.file] : []),
  };
}

export function deleteObject({ bucket, key, headers }: S3Request, store: ObjectStore): S3Answer {
  checkWriteConditions(headers, store.get(bucket, key));
  const previous = store.delete(bucket, key);
  return {
    status: 204,
    afterwards: () => store.files.remove(previous ? [previous.file] : []),
  };
}

const maxDeletes = 1_000;

export async function deleteObjects(request: S3Request, store: ObjectStore): Promise<S3Answer> {
  const { bucket, caller } = request;
  const document = await readText(request);
  const objects = innerXml(document, 'Object');
  if (objects.length === 0 || objects.length > maxDeletes) throw malformedXml();
  const isQuiet = textOf(document, 'Quiet') === 'true';
  const freed: string[] = [];
  const results = objects.map((object): Elements[number] => {
    const key = textOf(object, 'Key') ?? '';
    if (!isAllowed(caller, objectAccess('DeleteObject', bucket, key))) {
      return [
        'Error',
        [
          ['Key', key],
          ['Code', 'AccessDenied'],
          ['Message', 'Access Denied'],
        ],
      ];
    }
    const previous = store.delete(bucket, key);
    if (previous) freed.push(previous.file);
    return isQuiet ? undefined : ['Deleted', [['Key', key]]];
  });
  return { xml: ['DeleteResult', results], afterwards: () => store.files.remove(freed) };
}

export async function readText(request: S3Request): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of contentOf(request.message, request.bodyHash, new Map())) {
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

export function malformedXml(): AwsError {
  return new AwsError('MalformedXML', 'The XML you provided was not well-formed');
}

/** @throws {AwsError} KeyTooLongError */
export function checkKey(key: string): void {
  if (Buffer.byteLength(key) <= maxKeyBytes) return;
  throw new AwsError('KeyTooLongError', 'Your key is too long');
}

/** @throws {AwsError} MetadataTooLarge */
export function describe(headers: IncomingHttpHeaders): Description {
  const kept: Record<string, string> = {};
  for (const name of keptHeaders) {
    const value = header(headers, name);
    if (value !== undefined) kept[name] = value;
  }
  // The transfer's own encoding is none of the object's.
  const encodings = (kept['content-encoding'] ?? '').split(/,\s*/).filter((name) => name !== '');
  const own = encodings.filter((name) => name !== 'aws-chunked');
  delete kept['content-encoding'];
  if (own.length > 0) kept['content-encoding'] = own.join(',');

  const metadata: Record<string, string> = {};
  let bytes = 0;
  for (const name of Object.keys(headers).filter((name) => name.startsWith('x-amz-meta-'))) {
    const value = header(headers, name) ?? '';
    metadata[name.slice('x-amz-meta-'.length)] = value;
    bytes += name.length - 'x-amz-meta-'.length + value.length;
  }
  if (bytes > maxMetadataBytes) {
    throw new AwsError(
      'MetadataTooLarge',
      'Your metadata headers exceed the maximum allowed metadata size',
    );
  }
  return {
    contentType: header(headers, 'content-type') ?? 'application/octet-stream',
    headers: kept,
    metadata,
  };
}

function objectHeaders(object: StoredObject): Record<string, string> {
  const metadata = Object.entries(object.metadata).map(([name, value]) => [
    `x-amz-meta-${name}`,
    value,
  ]);
  return {
    etag: object.etag,
    'last-modified': new Date(object.modifiedAt).toUTCString(),
    'accept-ranges': 'bytes',
    'content-type': object.contentType,
    ...object.headers,
    ...Object.fromEntries(metadata),
  };
}

export function checksumHeader({
  checksum,
}: Pick<StoredObject, 'checksum'>): Record<string, string> {
  return checksum ? { [`x-amz-checksum-${checksum.algorithm}`]: checksum.value } : {};
}

function overrides(query: URLSearchParams): Record<string, string> {
  const entries = [...query].filter(([name]) => name.startsWith('response-'));
  return Object.fromEntries(
    entries.map(([name, value]) => [name.slice('response-'.length), value]),
  );
}
