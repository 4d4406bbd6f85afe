/** A secret as it is stored, its versions and the staging labels on them. */
import { z } from 'zod';
import { AwsError, invalid } from '../aws-error.ts';
import type { Seal } from './seal.ts';

export const Tags = z.array(z.strictObject({ Key: z.string(), Value: z.string() }));

const Version = z.object({
  sealed: z.string(),
  /** Epoch seconds, as all times of a secret but `purgeAt`. */
  createdAt: z.number(),
  stages: z.array(z.string()),
});

export const Secret = z.object({
  name: z.string(),
  arn: z.string(),
  description: z.string().optional(),
  kmsKeyId: z.string().optional(),
  tags: Tags,
  createdAt: z.number(),
  changedAt: z.number(),
  deletedAt: z.number().optional(),
  /** Epoch milliseconds after which a deleted secret is gone. */
  purgeAt: z.number().optional(),
  versions: z.record(z.string(), Version),
});
export type Secret = z.output<typeof Secret>;

const Value = z.object({
  SecretString: z.string().optional(),
  SecretBinary: z.string().optional(),
});
export type SecretValue = z.output<typeof Value>;

const maxValueBytes = 65_536;

/**
 * The secret with one more version, labelled `stages`. The same token with the same value again
 * changes nothing. Returns the version's id beside it.
 * @throws {AwsError} for a token that was used for another value, or a value that is too large.
 */
export function withVersion(
  secret: Secret,
  value: SecretValue,
  options: { readonly token: string | undefined; readonly stages: readonly string[] },
  seal: Seal,
): [secret: Secret, versionId: string] {
  const { token = crypto.randomUUID(), stages } = options;
  const { SecretString, SecretBinary } = value;
  const bytes =
    Buffer.byteLength(SecretString ?? '') + Buffer.byteLength(SecretBinary ?? '', 'base64');
  if (bytes > maxValueBytes) {
    throw invalid(
      `Value at 'secretString' must have length less than or equal to ${maxValueBytes}`,
    );
  }
  if ((SecretString === undefined) === (SecretBinary === undefined)) {
    throw new AwsError(
      'InvalidRequestException',
      'You must provide either SecretString or SecretBinary.',
    );
  }
  const text = JSON.stringify({ SecretString, SecretBinary });
  const earlier = secret.versions[token];
  if (earlier) {
    if (seal.open(earlier.sealed, sealedFor(secret, token)) === text) return [secret, token];
    throw new AwsError(
      'ResourceExistsException',
      `You can't use ClientRequestToken ${token} because that value is already in use for a version of secret ${secret.arn}.`,
    );
  }
  const sealed = seal.close(text, sealedFor(secret, token));
  const version = { sealed, createdAt: Date.now() / 1_000, stages: [] };
  const added = { ...secret, versions: { ...secret.versions, [token]: version } };
  return [stages.reduce((result, stage) => withStage(result, stage, token), added), token];
}

/** The secret with the label on that version alone, or on none. AWSPREVIOUS follows AWSCURRENT. */
export function withStage(secret: Secret, stage: string, versionId: string | undefined): Secret {
  const holder = versionWithStage(secret, stage);
  const moved = relabel(secret, stage, versionId);
  const leavesCurrent = stage === 'AWSCURRENT' && holder !== undefined && holder !== versionId;
  return leavesCurrent ? relabel(moved, 'AWSPREVIOUS', holder) : moved;
}

function relabel(secret: Secret, stage: string, versionId: string | undefined): Secret {
  const versions = Object.entries(secret.versions).map(([id, version]) => {
    const others = version.stages.filter((label) => label !== stage);
    return [id, { ...version, stages: id === versionId ? [...others, stage] : others }];
  });
  return { ...secret, versions: Object.fromEntries(versions) };
}

export function versionWithStage(secret: Secret, stage: string): string | undefined {
  return Object.keys(secret.versions).find((id) => secret.versions[id]?.stages.includes(stage));
}

/** @throws if the stored value was tampered with. */
export function openVersion(secret: Secret, versionId: string, seal: Seal): SecretValue {
  const sealed = secret.versions[versionId]?.sealed ?? '';
  return Value.parse(JSON.parse(seal.open(sealed, sealedFor(secret, versionId))));
}

function sealedFor(secret: Secret, versionId: string): string {
  return `${secret.arn} ${versionId}`;
}

/** Labels by version; versions without any are deprecated and not shown. */
export function stagesByVersion(secret: Secret): Record<string, readonly string[]> {
  const labelled = Object.entries(secret.versions).filter(([, { stages }]) => stages.length > 0);
  return Object.fromEntries(labelled.map(([id, { stages }]) => [id, stages]));
}
