/** Reads of artifacts: S3 objects at `<tenant>/<key>`, readable by any S3 client. */
import { Readable } from 'node:stream';
import { GetObjectCommand } from '@aws-sdk/client-s3';
import { Fault } from '../faults.ts';
import { toUri } from '../resources/uris.ts';
import { toAddress, type ArtifactsPorts } from './artifact-keys.ts';
import { unlessMissing } from './artifact-object.ts';

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
  const { Body: body, ContentLength: bytes = Infinity, ContentType: mimeType } = found;
  if (bytes > maxBytes) {
    // The stream reports the end we put to it; nobody reads it any more.
    if (body instanceof Readable) body.on('error', () => {});
    transfer.abort();
    throw new Fault(
      'payload_too_large',
      `The artifact holds ${bytes} bytes; at most ${maxBytes} can be returned in a reply. artifacts_url gives a URL for it.`,
      { link: { uri: toUri({ kind: 'artifacts', key }), name: key, mimeType, size: bytes } },
    );
  }
  return (await body?.transformToByteArray()) ?? new Uint8Array();
}
