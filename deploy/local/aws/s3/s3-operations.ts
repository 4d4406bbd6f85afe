/** Which S3 operation a request asks for, and what it needs the right to. */
import type { AccessRequest } from '../policy.ts';
import { notImplemented, splitPath, type S3Request } from './s3-request.ts';

export type S3Operation =
  | 'ListBuckets'
  | 'CreateBucket'
  | 'HeadBucket'
  | 'ListObjectsV2'
  | 'DeleteObjects'
  | 'PutObject'
  | 'GetObject'
  | 'HeadObject'
  | 'DeleteObject'
  | 'CopyObject'
  | 'CreateMultipartUpload'
  | 'UploadPart'
  | 'CompleteMultipartUpload'
  | 'AbortMultipartUpload'
  | 'ListParts';

type Asked = Pick<S3Request, 'method' | 'bucket' | 'key' | 'query' | 'headers'>;

const listParameters = [
  'list-type',
  'prefix',
  'delimiter',
  'max-keys',
  'continuation-token',
  'start-after',
  'encoding-type',
  'fetch-owner',
];
const responseHeaders = [
  'cache-control',
  'content-disposition',
  'content-encoding',
  'content-language',
  'content-type',
  'expires',
].map((name) => `response-${name}`);

/** The query parameters of each operation; any other names an operation or feature that is missing here. */
const parameters: Readonly<Record<S3Operation, readonly string[]>> = {
  ListBuckets: [],
  CreateBucket: [],
  HeadBucket: [],
  ListObjectsV2: listParameters,
  DeleteObjects: ['delete'],
  PutObject: [],
  GetObject: responseHeaders,
  HeadObject: responseHeaders,
  DeleteObject: [],
  CopyObject: [],
  CreateMultipartUpload: ['uploads'],
  UploadPart: ['uploadId', 'partNumber'],
  CompleteMultipartUpload: ['uploadId'],
  AbortMultipartUpload: ['uploadId'],
  ListParts: ['uploadId', 'max-parts', 'part-number-marker'],
};

const knownHeaders: ReadonlySet<string> = new Set([
  'x-amz-content-sha256',
  'x-amz-date',
  'x-amz-security-token',
  'x-amz-user-agent',
  'x-amz-sdk-checksum-algorithm',
  'x-amz-trailer',
  'x-amz-decoded-content-length',
  'x-amz-copy-source',
  'x-amz-metadata-directive',
  'x-amz-checksum-mode',
  'x-amz-checksum-algorithm',
  'x-amz-checksum-type',
]);

/** @throws {AwsError} NotImplemented, naming the operation, parameter or header that is missing here. */
export function operationOf(asked: Asked): S3Operation {
  const named = asked.query.get('x-id');
  const operation = operationByShape(asked);
  if (!operation)
    throw notImplemented(named ?? `${asked.method} ?${[...asked.query.keys()].join('&')}`);
  for (const name of asked.query.keys()) {
    if (name === 'x-id' || /^x-amz-/i.test(name) || parameters[operation].includes(name)) continue;
    throw notImplemented(named && named !== operation ? named : `${operation} with ?${name}`);
  }
  for (const name of Object.keys(asked.headers)) {
    if (!name.startsWith('x-amz-') || knownHeaders.has(name)) continue;
    if (/^x-amz-(?:meta-|checksum-(?:crc32|crc32c|crc64nvme|sha1|sha256)$)/.test(name)) continue;
    throw notImplemented(name);
  }
  return operation;
}

function operationByShape({ method, bucket, key, query, headers }: Asked): S3Operation | undefined {
  if (bucket === '') return method === 'GET' ? 'ListBuckets' : undefined;
  if (key === '') {
    if (method === 'PUT') return 'CreateBucket';
    if (method === 'HEAD') return 'HeadBucket';
    if (method === 'GET' && query.get('list-type') === '2') return 'ListObjectsV2';
    return method === 'POST' && query.has('delete') ? 'DeleteObjects' : undefined;
  }
  const inUpload = query.has('uploadId');
  const isCopy = headers['x-amz-copy-source'] !== undefined;
  switch (method) {
    case 'PUT':
      if (inUpload) return isCopy ? undefined : 'UploadPart';
      return isCopy ? 'CopyObject' : 'PutObject';
    case 'GET':
      return inUpload ? 'ListParts' : 'GetObject';
    case 'HEAD':
      return 'HeadObject';
    case 'DELETE':
      return inUpload ? 'AbortMultipartUpload' : 'DeleteObject';
    case 'POST':
      if (inUpload) return 'CompleteMultipartUpload';
      return query.has('uploads') ? 'CreateMultipartUpload' : undefined;
    default:
      return undefined;
  }
}

export function objectAccess(action: string, bucket: string, key: string): AccessRequest {
  return { action: `s3:${action}`, resource: `arn:aws:s3:::${bucket}/${key}`, context: {} };
}

/** A listing without a prefix has none to be judged by. */
export function listAccess(bucket: string, prefix: string | null): AccessRequest {
  return {
    action: 's3:ListBucket',
    resource: `arn:aws:s3:::${bucket}`,
    context: { 's3:prefix': prefix === null ? [] : [prefix] },
  };
}

/** DeleteObjects is judged key by key when it runs. */
export function accessNeeded(operation: S3Operation, asked: Asked): readonly AccessRequest[] {
  const { bucket, key, query, headers } = asked;
  switch (operation) {
    case 'ListBuckets':
      return [{ action: 's3:ListAllMyBuckets', resource: '*', context: {} }];
    case 'CreateBucket':
      return [{ action: 's3:CreateBucket', resource: `arn:aws:s3:::${bucket}`, context: {} }];
    case 'HeadBucket':
      return [listAccess(bucket, null)];
    case 'ListObjectsV2':
      return [listAccess(bucket, query.get('prefix'))];
    case 'DeleteObjects':
      return [];
    case 'GetObject':
    case 'HeadObject':
      return [objectAccess('GetObject', bucket, key)];
    case 'DeleteObject':
      return [objectAccess('DeleteObject', bucket, key)];
    case 'CopyObject': {
      const source = copySource(headers['x-amz-copy-source']);
      return [
        objectAccess('GetObject', source.bucket, source.key),
        objectAccess('PutObject', bucket, key),
      ];
    }
    case 'PutObject':
    case 'CreateMultipartUpload':
    case 'UploadPart':
    case 'CompleteMultipartUpload':
      return [objectAccess('PutObject', bucket, key)];
    case 'AbortMultipartUpload':
      return [objectAccess('AbortMultipartUpload', bucket, key)];
    case 'ListParts':
      return [objectAccess('ListMultipartUploadParts', bucket, key)];
  }
}

/** The header holds `bucket/key`, encoded, with or without a slash before it. */
export function copySource(value: string | string[] | undefined): { bucket: string; key: string } {
  const text = String(value ?? '');
  if (/[?&]versionId=/.test(text)) throw notImplemented('CopyObject of a version');
  const path = text.replace(/^\//, '');
  // Some clients encode the slash after the bucket too.
  return splitPath(`/${path.replace(/%2F/i, '/')}`);
}
