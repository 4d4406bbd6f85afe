/**
 * Artifacts: S3 objects at `<tenant>/<key>`, readable by any S3 client.
 *
 * The metadata holds the sequence number of the call that put them. A re-run after a crash compares
 * it and puts on condition that nothing has changed since, so that it never undoes a later put.
 */
import { Readable } from 'node:stream';
import { GetObjectCommand, HeadObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3';
import { Fault } from '../faults.ts';
import { toAddress, type ArtifactsPorts } from './artifact-keys.ts';
import { isDenied, isMissing, isPreconditionFailed } from './aws-fault.ts';
import { isListed } from './list-artifacts.ts';

/** Each lost round means that another put has won, so a few are plenty. */
const maxPutRounds = 8;

/**
 * The bytes, or undefined if there is no such artifact.
 * @throws {Fault} `payload_too_large` before transferring more than `maxBytes`; else rejects with the SDK's own errors.
 */
export async function readArtifact(
  key: string,
  maxBytes: number,
  ports: ArtifactsPorts,
): Promise<Uint8Array | undefined> {
  const { call, s3 } = ports;
  const transfer = new AbortController();
  const abortSignal = AbortSignal.any([call.signal, transfer.signal]);
  const found = await unlessMissing(
    key,
    () => s3.send(new GetObjectCommand(toAddress(key, ports)), { abortSignal }),
    ports,
  );
  if (found === undefined) return undefined;
  const { Body: body, ContentLength: bytes = Infinity } = found;
  if (bytes > maxBytes) {
    // The stream reports the end we put to it; nobody reads it any more.
    if (body instanceof Readable) body.on('error', () => {});
    transfer.abort();
    throw new Fault(
      'payload_too_large',
      `The artifact holds ${bytes} bytes; at most ${maxBytes} can be returned in a reply.`,
    );
  }
  return (await body?.transformToByteArray()) ?? new Uint8Array();
}

/**
 * Puts the object whole; a re-run does so unless a later call has already put.
 * Rejects with the SDK's own errors.
 */
export async function writeArtifact(
  key: string,
  body: Uint8Array,
  contentType: string,
  ports: ArtifactsPorts,
): Promise<void> {
  const { call, s3 } = ports;
  const put = async (condition: { IfMatch?: string | undefined; IfNoneMatch?: string }) => {
    const object = {
      ...toAddress(key, ports),
      Body: body,
      ContentType: contentType,
      Metadata: { 'mesh-seq': String(call.sequence) },
    };
    await s3.send(new PutObjectCommand({ ...object, ...condition }), { abortSignal: call.signal });
  };

  if (call.attempt === 1) return put({});
  for (let round = 0; round < maxPutRounds; round += 1) {
    const held = await readHead(key, ports);
    if (held !== undefined && held.sequence >= call.sequence) return;
    try {
      return await put(held === undefined ? { IfNoneMatch: '*' } : { IfMatch: held.etag });
    } catch (error) {
      // Missing: deleted since it was read.
      if (!isPreconditionFailed(error) && !isMissing(error)) throw error;
    }
  }
  const message = 'The artifact is being written by too many calls at once. Retry in 1 s.';
  throw new Fault('tool_failed', message, { retryAfterMs: 1_000 });
}

/** What a re-run must know of the object it would replace. */
async function readHead(key: string, ports: ArtifactsPorts) {
  const { call, s3 } = ports;
  const head = await unlessMissing(
    key,
    () => s3.send(new HeadObjectCommand(toAddress(key, ports)), { abortSignal: call.signal }),
    ports,
  );
  if (head === undefined) return undefined;
  // An object put by another S3 client has no number; it counts as older than any call.
  return { etag: head.ETag, sequence: Number(head.Metadata?.['mesh-seq'] ?? 0) };
}

/** Runs `request`, or resolves with undefined if the object it asks for does not exist. */
async function unlessMissing<T>(
  key: string,
  request: () => Promise<T>,
  ports: ArtifactsPorts,
): Promise<T | undefined> {
  try {
    return await request();
  } catch (error) {
    if (isMissing(error)) return undefined;
    // S3 denies what does not exist to those who may list a prefix only.
    if (isDenied(error) && !(await isListed(key, ports))) return undefined;
    throw error;
  }
}
