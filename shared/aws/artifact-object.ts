/**
 * What a stored artifact tells besides its bytes: which call put it, and which call's artifact it
 * took the place of.
 */
import { HeadObjectCommand, type HeadObjectCommandOutput } from '@aws-sdk/client-s3';
import { toAddress, type ArtifactsPorts } from './artifact-keys.ts';
import { isDenied, isMissing } from './aws-fault.ts';
import { isListed } from './list-artifacts.ts';

export interface StoredArtifact {
  readonly etag: string | undefined;
  /** 0 if another S3 client put it: older than any call. */
  readonly sequence: number;
  /** The call whose artifact it displaced; 0 if there was none. */
  readonly displaced: number;
  /** What it counts. An object that another S3 client put does not count until a recount. */
  readonly bytes: number;
  readonly objects: number;
}

export async function readHead(
  key: string,
  ports: ArtifactsPorts,
): Promise<StoredArtifact | undefined> {
  const { call, s3 } = ports;
  const head = await unlessMissing(
    key,
    () => s3.send(new HeadObjectCommand(toAddress(key, ports)), { abortSignal: call.signal }),
    ports,
  );
  return head && toStoredArtifact(head);
}

function toStoredArtifact(head: HeadObjectCommandOutput): StoredArtifact {
  const { 'mesh-seq': sequence = '0', 'mesh-over': displaced } = head.Metadata ?? {};
  const isCounted = displaced !== undefined;
  return {
    etag: head.ETag,
    sequence: Number(sequence),
    displaced: Number(displaced ?? 0),
    bytes: isCounted ? (head.ContentLength ?? 0) : 0,
    objects: isCounted ? 1 : 0,
  };
}

/**
 * The same for those who go on to put on condition that nothing has changed: whatever S3 keeps from
 * them is taken as missing, without asking for a listing.
 */
export async function presumeHead(
  key: string,
  ports: ArtifactsPorts,
): Promise<StoredArtifact | undefined> {
  const { call, s3 } = ports;
  try {
    const head = new HeadObjectCommand(toAddress(key, ports));
    return toStoredArtifact(await s3.send(head, { abortSignal: call.signal }));
  } catch (error) {
    if (isMissing(error) || isDenied(error)) return undefined;
    throw error;
  }
}

/** What an object put by `sequence` over `held` says of itself. */
export function toMetadata(
  sequence: number,
  held: StoredArtifact | undefined,
): Record<string, string> {
  return { 'mesh-seq': String(sequence), 'mesh-over': String(held?.sequence ?? 0) };
}

/** Runs `request`, or resolves with undefined if the object it asks for does not exist. */
export async function unlessMissing<T>(
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
