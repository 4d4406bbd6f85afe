/** The keys of a tenant's artifacts: S3's pages, read to the end and put together. */
import { ListObjectsV2Command } from '@aws-sdk/client-s3';
import { Fault } from '../faults.ts';
import { fromListed, toAddress, type ArtifactsPorts } from './artifact-keys.ts';

/** What one reply can hold. */
const maxKeys = 100_000;
const maxKeyBytes = 4 * 1024 * 1024;

/** No stored key is longer. */
const longestKeyBytes = 900;

/**
 * Every key that starts with `prefix`, without the tenant's own prefix, in UTF-8 order.
 * @throws {Fault} `payload_too_large` beyond what one reply can hold; else rejects with the SDK's own errors.
 */
export async function listArtifacts(
  prefix: string,
  ports: ArtifactsPorts,
): Promise<readonly string[]> {
  if (!prefix.isWellFormed() || Buffer.byteLength(prefix) > longestKeyBytes) return [];
  const keys: string[] = [];
  let bytes = 0;
  for await (const page of pages(prefix, ports)) {
    keys.push(...page);
    bytes += page.reduce((sum, key) => sum + Buffer.byteLength(key), 0);
    if (keys.length > maxKeys || bytes > maxKeyBytes) {
      throw new Fault(
        'payload_too_large',
        'There are more artifacts than one reply can list. Use a longer prefix.',
      );
    }
  }
  return keys;
}

/** Whether the key exists, for those whom S3 denies the object itself. */
export async function isListed(key: string, ports: ArtifactsPorts): Promise<boolean> {
  // Of all keys with this prefix the key itself comes first.
  const { done, value } = await pages(key, ports, 1).next();
  return !done && value[0] === key;
}

async function* pages(
  prefix: string,
  ports: ArtifactsPorts,
  size = 1_000,
): AsyncGenerator<readonly string[]> {
  const { Bucket, Key: Prefix } = toAddress(prefix, ports);
  let next: string | undefined;
  do {
    const request = new ListObjectsV2Command({
      Bucket,
      Prefix,
      MaxKeys: size,
      ContinuationToken: next,
      // XML cannot carry most control characters.
      EncodingType: 'url',
    });
    const page = await ports.s3.send(request, { abortSignal: ports.call.signal });
    yield (page.Contents ?? []).map(({ Key = '' }) => fromListed(Key, ports));
    next = page.NextContinuationToken;
  } while (next !== undefined);
}
