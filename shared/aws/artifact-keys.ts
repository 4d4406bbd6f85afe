/** Where a tenant's artifacts are: which bucket, which S3 key, and back from what S3 lists. */
import type { S3Client } from '@aws-sdk/client-s3';
import type { CallContext } from './tenant-aws.ts';

export interface ArtifactsPorts {
  readonly call: CallContext;
  readonly s3: S3Client;
  readonly bucket: string;
}

export function toAddress(key: string, { call, bucket }: ArtifactsPorts) {
  return { Bucket: bucket, Key: `${call.tenant}/${key}` };
}

/** From a listing made with `EncodingType: url`, which encodes as forms do: a space is a plus. */
export function fromListed(text: string, { call }: ArtifactsPorts): string {
  return decodeURIComponent(text.replaceAll('+', ' ')).slice(call.tenant.length + 1);
}
