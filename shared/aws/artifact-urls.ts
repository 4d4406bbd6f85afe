/**
 * URLs that read or put one artifact without a call, signed with the tenant's own credentials and
 * valid no longer than those.
 *
 * A put's URL takes exactly the bytes, type and circumstances it was signed for. They count from the
 * signing on; whoever comes by after its end settles for what was put, or for nothing.
 */
import { GetObjectCommand, PutObjectCommand, type S3Client } from '@aws-sdk/client-s3';
import { getSignedUrl } from '@aws-sdk/s3-request-presigner';
import { Fault } from '../faults.ts';
import { reserveArtifact, type ArtifactAccountingPorts } from './artifact-accounting.ts';
import { toAddress, type ArtifactsPorts } from './artifact-keys.ts';
import { presumeHead, toMetadata } from './artifact-object.ts';
import { unchanged } from './artifact-writes.ts';
import type { SignedUrl, Upload } from './tenant-aws.ts';

export type SigningPorts = ArtifactsPorts &
  ArtifactAccountingPorts & {
    /** Adds no checksum of a body that it does not see. */
    readonly signing: S3Client;
  };

/** An upload that began before its URL's end may take so long. */
const uploadMs = 3_600_000;

export async function signGet(
  key: string,
  expiresSeconds: number,
  ports: SigningPorts,
): Promise<SignedUrl> {
  const { seconds, expiresAt } = await validity(expiresSeconds, ports);
  const command = new GetObjectCommand(toAddress(key, ports));
  return {
    url: await getSignedUrl(ports.signing, command, { expiresIn: seconds }),
    headers: {},
    expiresAt,
  };
}

/** @throws {Fault} `storage_full`, or `tool_failed` if a later call has put the artifact meanwhile. */
export async function signPut(
  key: string,
  { bytes, contentType }: Upload,
  expiresSeconds: number,
  ports: SigningPorts,
): Promise<SignedUrl> {
  const { call } = ports;
  const held = await presumeHead(key, ports);
  if (held && held.sequence >= call.sequence) {
    throw new Fault('tool_failed', 'The artifact was put by another call meanwhile. Call again.');
  }
  const { seconds, expiresAt } = await validity(expiresSeconds, ports);
  await reserveArtifact(key, bytes, held, ports, { until: expiresAt + uploadMs });
  const metadata = toMetadata(call.sequence, held);
  const command = new PutObjectCommand({
    ...toAddress(key, ports),
    ...unchanged(held),
    ContentLength: bytes,
    ContentType: contentType,
    Metadata: metadata,
  });
  const headers = {
    'content-length': String(bytes),
    'content-type': contentType,
    ...(held?.etag === undefined ? { 'if-none-match': '*' } : { 'if-match': held.etag }),
    ...Object.fromEntries(
      Object.entries(metadata).map(([name, value]) => [`x-amz-meta-${name}`, value]),
    ),
  };
  const names = new Set(Object.keys(headers));
  const url = await getSignedUrl(ports.signing, command, {
    expiresIn: seconds,
    signableHeaders: new Set(['host', ...names]),
    unhoistableHeaders: names,
  });
  return { url, headers, expiresAt };
}

async function validity(askedSeconds: number, { signing }: SigningPorts) {
  const now = Date.now();
  const { expiration } = await signing.config.credentials();
  const left = expiration === undefined ? Infinity : (expiration.getTime() - now) / 1_000;
  const seconds = Math.max(1, Math.floor(Math.min(askedSeconds, left)));
  return { seconds, expiresAt: now + seconds * 1_000 };
}
