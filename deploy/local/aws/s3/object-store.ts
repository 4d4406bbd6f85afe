/** What the journal knows of S3: buckets, objects in the order of their keys, and uploads in parts. */
import { z } from 'zod';
import type { Collection, Journal } from '../journal.ts';
import { compareUtf8, lowerBound } from '../utf8-order.ts';
import { checksumAlgorithms } from './checksums.ts';
import { createObjectFiles, type ObjectFiles } from './object-files.ts';

const StoredChecksum = z.object({ algorithm: z.enum(checksumAlgorithms), value: z.string() });

/** What a client says of an object besides its bytes. */
export const Description = z.object({
  contentType: z.string(),
  /** The other standard headers, by lower-case names. */
  headers: z.record(z.string(), z.string()),
  metadata: z.record(z.string(), z.string()),
});
export type Description = z.output<typeof Description>;

export const StoredObject = z.object({
  ...Description.shape,
  file: z.string(),
  size: z.number(),
  /** With its quotes. */
  etag: z.string(),
  checksum: StoredChecksum.optional(),
  /** Epoch milliseconds, as all times here. */
  modifiedAt: z.number(),
});
export type StoredObject = z.output<typeof StoredObject>;

const Part = z.object({
  file: z.string(),
  size: z.number(),
  md5: z.string(),
  checksum: StoredChecksum.optional(),
});
export type Part = z.output<typeof Part>;

export const Upload = z.object({
  ...Description.shape,
  id: z.string(),
  bucket: z.string(),
  key: z.string(),
  parts: z.record(z.string(), Part),
});
export type Upload = z.output<typeof Upload>;

const Bucket = z.object({ name: z.string(), createdAt: z.number() });

export interface ObjectStore {
  readonly files: ObjectFiles;
  readonly buckets: Collection<z.output<typeof Bucket>>;
  readonly uploads: Collection<Upload>;
  /** Resolves once all changes so far are on file. */
  flush(): Promise<void>;
  atomically<T>(change: () => T): T;
  get(bucket: string, key: string): StoredObject | undefined;
  /** Returns what it replaces. */
  put(bucket: string, key: string, object: StoredObject): StoredObject | undefined;
  /** Returns what was there. */
  delete(bucket: string, key: string): StoredObject | undefined;
  /** Every key of the bucket by UTF-8 bytes. */
  keys(bucket: string): readonly string[];
}

interface BucketContent {
  readonly objects: Collection<StoredObject>;
  readonly keys: string[];
}

export async function openObjectStore(journal: Journal, dataDir: string): Promise<ObjectStore> {
  const files = createObjectFiles(dataDir);
  const buckets = journal.collection('s3/buckets', (stored) => Bucket.parse(stored));
  const uploads = journal.collection('s3/uploads', (stored) => Upload.parse(stored));
  const contents = new Map<string, BucketContent>();
  for (const name of buckets.keys()) contentOf(name);
  await files.keepOnly(filesInUse());

  return {
    files,
    buckets,
    uploads,
    flush: () => journal.flush(),
    atomically: (change) => journal.atomically(change),
    get: (bucket, key) => contentOf(bucket).objects.get(key),
    put(bucket, key, object) {
      const { objects, keys } = contentOf(bucket);
      const previous = objects.get(key);
      if (!previous) keys.splice(positionOf(keys, key), 0, key);
      objects.set(key, object);
      return previous;
    },
    delete(bucket, key) {
      const { objects, keys } = contentOf(bucket);
      const previous = objects.get(key);
      if (previous) keys.splice(positionOf(keys, key), 1);
      objects.delete(key);
      return previous;
    },
    keys: (bucket) => contentOf(bucket).keys,
  };

  function contentOf(bucket: string): BucketContent {
    const known = contents.get(bucket);
    if (known) return known;
    const objects = journal.collection(`s3/objects/${bucket}`, (stored) =>
      StoredObject.parse(stored),
    );
    const content = { objects, keys: [...objects.keys()].sort(compareUtf8) };
    contents.set(bucket, content);
    return content;
  }

  function filesInUse(): ReadonlySet<string> {
    const used = new Set<string>();
    for (const { objects } of contents.values()) {
      for (const { file } of objects.values()) used.add(file);
    }
    for (const { parts } of uploads.values()) {
      for (const { file } of Object.values(parts)) used.add(file);
    }
    return used;
  }
}

function positionOf(keys: readonly string[], key: string): number {
  return lowerBound(keys, (other) => compareUtf8(other, key));
}
