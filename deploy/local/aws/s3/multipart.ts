/** Objects uploaded in parts. */
import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { AwsError } from '../aws-error.ts';
import { innerXml, textOf, type Elements } from '../xml.ts';
import { checkWriteConditions } from './conditions.ts';
import { receive } from './incoming.ts';
import type { ObjectStore, Part, Upload } from './object-store.ts';
import { checkKey, checksumHeader, describe, malformedXml, readText } from './objects.ts';
import type { S3Answer, S3Request } from './s3-request.ts';

const minPartBytes = 5_242_880;
const maxPartNumber = 10_000;

export function createUpload({ bucket, key, headers }: S3Request, store: ObjectStore): S3Answer {
  checkKey(key);
  const id = randomBytes(24).toString('hex');
  store.uploads.set(id, { ...describe(headers), id, bucket, key, parts: {} });
  return {
    xml: [
      'InitiateMultipartUploadResult',
      [
        ['Bucket', bucket],
        ['Key', key],
        ['UploadId', id],
      ],
    ],
  };
}

export async function uploadPart(request: S3Request, store: ObjectStore): Promise<S3Answer> {
  const number = Number(request.query.get('partNumber'));
  if (!Number.isInteger(number) || number < 1 || number > maxPartNumber) {
    throw new AwsError(
      'InvalidArgument',
      'Part number must be an integer between 1 and 10000, inclusive',
    );
  }
  existingUpload(request, store);
  const part = await receive(request.message, request.bodyHash, store.files);
  const upload = await existingUploadOr(request, store, () => store.files.remove([part.file]));
  const previous = upload.parts[number];
  store.uploads.set(upload.id, { ...upload, parts: { ...upload.parts, [number]: part } });
  return {
    headers: { etag: `"${part.md5}"`, ...checksumHeader(part) },
    afterwards: () => store.files.remove(previous ? [previous.file] : []),
  };
}

export function listParts(request: S3Request, store: ObjectStore): S3Answer {
  const { bucket, key, id, parts } = existingUpload(request, store);
  return {
    xml: [
      'ListPartsResult',
      [
        ['Bucket', bucket],
        ['Key', key],
        ['UploadId', id],
        ['IsTruncated', false],
        ...Object.entries(parts).map(([number, { md5, size }]): Elements[number] => [
          'Part',
          [
            ['PartNumber', number],
            ['ETag', `"${md5}"`],
            ['Size', size],
          ],
        ]),
      ],
    ],
  };
}

export function abortUpload(request: S3Request, store: ObjectStore): S3Answer {
  const { id, parts } = existingUpload(request, store);
  store.uploads.delete(id);
  return { status: 204, afterwards: () => store.files.remove(filesOf(Object.values(parts))) };
}

export async function completeUpload(request: S3Request, store: ObjectStore): Promise<S3Answer> {
  const { bucket, key, headers } = request;
  const document = await readText(request);
  const upload = existingUpload(request, store);
  const parts = chosenParts(document, upload);
  checkWriteConditions(headers, store.get(bucket, key));

  const file = randomUUID();
  const discard = () => store.files.remove([file]);
  const size = await join(parts, file, store);
  const { id, ...current } = await existingUploadOr(request, store, discard);
  const digests = parts.map(({ md5 }) => Buffer.from(md5, 'hex'));
  const etag = `"${createHash('md5').update(Buffer.concat(digests)).digest('hex')}-${parts.length}"`;
  const { contentType, headers: kept, metadata } = current;
  const described = { contentType, headers: kept, metadata };
  try {
    checkWriteConditions(headers, store.get(bucket, key));
  } catch (error) {
    await discard();
    throw error;
  }
  const previous = store.atomically(() => {
    store.uploads.delete(id);
    return store.put(bucket, key, { ...described, file, size, etag, modifiedAt: Date.now() });
  });
  const freed = [...filesOf(Object.values(current.parts)), ...(previous ? [previous.file] : [])];
  return {
    xml: [
      'CompleteMultipartUploadResult',
      [
        ['Bucket', bucket],
        ['Key', key],
        ['ETag', etag],
      ],
    ],
    afterwards: () => store.files.remove(freed),
  };
}

/** Returns the size of the whole. */
async function join(parts: readonly Part[], file: string, store: ObjectStore): Promise<number> {
  await pipeline(
    async function* () {
      for (const part of parts) yield* createReadStream(store.files.path(part.file));
    },
    createWriteStream(store.files.path(file), { mode: 0o600, flags: 'wx' }),
  );
  return parts.reduce((bytes, part) => bytes + part.size, 0);
}

/** @throws {AwsError} unless the client lists parts that are there, in order, all but the last of full size. */
function chosenParts(document: string, upload: Upload): readonly Part[] {
  const listed = innerXml(document, 'Part').map((part) => ({
    number: Number(textOf(part, 'PartNumber')),
    etag: (textOf(part, 'ETag') ?? '').replaceAll('"', ''),
  }));
  if (listed.length === 0) throw malformedXml();
  return listed.map(({ number, etag }, index) => {
    const before = listed[index - 1];
    if (before && before.number >= number) {
      throw new AwsError('InvalidPartOrder', 'The list of parts was not in ascending order.');
    }
    const part = upload.parts[number];
    if (!part || part.md5 !== etag) {
      throw new AwsError('InvalidPart', 'One or more of the specified parts could not be found.');
    }
    if (index < listed.length - 1 && part.size < minPartBytes) {
      throw new AwsError(
        'EntityTooSmall',
        'Your proposed upload is smaller than the minimum allowed size',
      );
    }
    return part;
  });
}

/** @throws {AwsError} NoSuchUpload */
function existingUpload({ bucket, key, query }: S3Request, store: ObjectStore): Upload {
  const upload = store.uploads.get(query.get('uploadId') ?? '');
  if (upload && upload.bucket === bucket && upload.key === key) return upload;
  throw new AwsError(
    'NoSuchUpload',
    'The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or completed.',
    404,
  );
}

/** After a wait the upload may be gone, and what was made for it with it. */
async function existingUploadOr(
  request: S3Request,
  store: ObjectStore,
  discard: () => Promise<void>,
): Promise<Upload> {
  try {
    return existingUpload(request, store);
  } catch (error) {
    await discard();
    throw error;
  }
}

function filesOf(parts: readonly Part[]): readonly string[] {
  return parts.map(({ file }) => file);
}
