/** Takes an object's bytes from a request into a file of their own, and checks them against every digest the client gave. */
import { createHash, randomUUID } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { pipeline } from 'node:stream/promises';
import { AwsError } from '../aws-error.ts';
import { decodeChunked } from './aws-chunked.ts';
import { checksumAlgorithms, createChecksum, type ChecksumAlgorithm } from './checksums.ts';
import type { ObjectFiles } from './object-files.ts';

export interface Incoming {
  readonly file: string;
  readonly size: number;
  /** Hexadecimal MD5. */
  readonly md5: string;
  readonly checksum?: { readonly algorithm: ChecksumAlgorithm; readonly value: string };
}

const maxObjectBytes = 5_368_709_120;

/** @throws {AwsError} if the bytes are not what the client announced; then no file is left. */
export async function receive(
  request: IncomingMessage,
  bodyHash: string,
  files: ObjectFiles,
): Promise<Incoming> {
  const file = randomUUID();
  try {
    return await receiveInto(file, request, bodyHash, files);
  } catch (error) {
    await files.remove([file]);
    throw error;
  }
}

async function receiveInto(
  file: string,
  request: IncomingMessage,
  bodyHash: string,
  files: ObjectFiles,
): Promise<Incoming> {
  const { headers } = request;
  const trailers = new Map<string, string>();
  const algorithm = algorithmOf(request);
  const checksum = algorithm && createChecksum(algorithm);
  const md5 = createHash('md5');
  const sha256 = createHash('sha256');
  let size = 0;

  await pipeline(
    contentOf(request, bodyHash, trailers),
    async function* (source: AsyncIterable<Buffer>) {
      for await (const bytes of source) {
        size += bytes.byteLength;
        if (size > maxObjectBytes) throw tooLarge();
        md5.update(bytes);
        if (isDigest(bodyHash)) sha256.update(bytes);
        checksum?.update(bytes);
        yield bytes;
      }
    },
    createWriteStream(files.path(file), { mode: 0o600, flags: 'wx' }),
  );

  const digest = md5.digest();
  const contentMd5 = headers['content-md5'];
  if (contentMd5 !== undefined && contentMd5 !== digest.toString('base64')) {
    throw badDigest('The Content-MD5 you specified did not match what we received.');
  }
  if (isDigest(bodyHash) && sha256.digest('hex') !== bodyHash) {
    throw new AwsError(
      'XAmzContentSHA256Mismatch',
      'The provided x-amz-content-sha256 header does not match what was computed.',
    );
  }
  const content = { file, size, md5: digest.toString('hex') };
  if (!algorithm || !checksum) return content;
  const value = checksum.digest();
  const name = `x-amz-checksum-${algorithm}`;
  const announced = headers[name] ?? trailers.get(name);
  if (announced !== undefined && announced !== value) {
    throw badDigest(
      `The ${algorithm.toUpperCase()} you specified did not match the calculated checksum.`,
    );
  }
  return { ...content, checksum: { algorithm, value } };
}

/** The body without its transfer encoding. */
export function contentOf(
  request: IncomingMessage,
  bodyHash: string,
  trailers: Map<string, string>,
): AsyncIterable<Buffer> {
  const isChunked =
    bodyHash.startsWith('STREAMING-') ||
    (request.headers['content-encoding'] ?? '').includes('aws-chunked');
  return isChunked ? decodeChunked(request, trailers) : request;
}

/** The one that the client sends, before or after the body, or else asks for. */
function algorithmOf({ headers }: IncomingMessage): ChecksumAlgorithm | undefined {
  const sent = checksumAlgorithms.find((name) => headers[`x-amz-checksum-${name}`] !== undefined);
  const trailer = String(headers['x-amz-trailer'] ?? '').toLowerCase();
  const asked = String(headers['x-amz-sdk-checksum-algorithm'] ?? '').toLowerCase();
  return (
    sent ??
    checksumAlgorithms.find((name) => trailer === `x-amz-checksum-${name}`) ??
    checksumAlgorithms.find((name) => name === asked)
  );
}

function isDigest(bodyHash: string): boolean {
  return /^[0-9a-f]{64}$/.test(bodyHash);
}

function badDigest(message: string): AwsError {
  return new AwsError('BadDigest', message);
}

function tooLarge(): AwsError {
  return new AwsError('EntityTooLarge', 'Your proposed upload exceeds the maximum allowed size');
}
