/** Secrets as they are stored: found, saved with new versions, read and listed. */
import { z } from 'zod';
import type { Account } from '../account.ts';
import { AwsError } from '../aws-error.ts';
import type { Journal } from '../journal.ts';
import type { Seal } from './seal.ts';
import { openVersion, Secret, versionWithStage, withVersion } from './versions.ts';

export const Filters = z
  .array(
    z.strictObject({
      Key: z.enum(['name', 'description', 'tag-key', 'tag-value']),
      Values: z.array(z.string()),
    }),
  )
  .default([]);
export type Filters = z.output<typeof Filters>;

export const GetSecretValue = z.strictObject({
  SecretId: z.string().min(1),
  VersionId: z.string().optional(),
  VersionStage: z.string().optional(),
});
type Wanted = z.output<typeof GetSecretValue>;

export interface Secrets {
  get(name: string): Secret | undefined;
  /** Stores the secret, with a new version under those labels if a value is given. */
  save(secret: Secret, input?: NewValue, stages?: readonly string[]): Saved;
  /** Keeps the secret for its recovery window, or forgets it at once. Epoch milliseconds. */
  remove(secret: Secret, purgeAt: number): void;
  /** @throws {AwsError} if there is a secret of that name, also one that can be restored. */
  refuseTaken(name: string): void;
  /** Also one that is marked for deletion. @throws {AwsError} ResourceNotFoundException */
  existing(id: string): Secret;
  /** @throws {AwsError} if it is missing or marked for deletion. */
  living(id: string): Secret;
  arnOf(id: string): string;
  readValue(wanted: Wanted): object;
  readValues(ids: readonly string[] | undefined, filters: Filters): object;
  list(filters: Filters): readonly Secret[];
}

interface NewValue {
  readonly SecretString?: string | undefined;
  readonly SecretBinary?: string | undefined;
  readonly ClientRequestToken?: string | undefined;
}

interface Saved {
  readonly ARN: string;
  readonly Name: string;
  readonly VersionId?: string;
}

export function createSecrets(journal: Journal, account: Account, seal: Seal): Secrets {
  const secrets = journal.collection('secrets', (stored) => Secret.parse(stored));
  return {
    get: (name) => secrets.get(name),
    save,
    remove,
    refuseTaken,
    existing,
    living,
    arnOf,
    readValue,
    readValues,
    list,
  };

  function save(secret: Secret, input: NewValue = {}, stages: readonly string[] = []): Saved {
    const { SecretString, SecretBinary, ClientRequestToken } = input;
    const hasValue = SecretString !== undefined || SecretBinary !== undefined;
    const [next, VersionId] = hasValue
      ? withVersion(
          secret,
          { SecretString, SecretBinary },
          { token: ClientRequestToken, stages },
          seal,
        )
      : [secret, undefined];
    secrets.set(next.name, { ...next, changedAt: Date.now() / 1_000 });
    return { ARN: next.arn, Name: next.name, ...(VersionId === undefined ? {} : { VersionId }) };
  }

  function remove(secret: Secret, purgeAt: number): void {
    const now = Date.now();
    if (purgeAt <= now) secrets.delete(secret.name);
    else secrets.set(secret.name, { ...secret, deletedAt: now / 1_000, purgeAt });
  }

  function refuseTaken(name: string): void {
    const there = secrets.get(name);
    if (!there || isPurged(there)) return;
    throw there.deletedAt === undefined
      ? new AwsError(
          'ResourceExistsException',
          `The operation failed because the secret ${name} already exists.`,
        )
      : new AwsError(
          'InvalidRequestException',
          `You can't create this secret because a secret with this name is already scheduled for deletion.`,
        );
  }

  /** By name, ARN, or ARN without its random end. */
  function find(id: string): Secret | undefined {
    const byName = secrets.get(id);
    if (byName || !id.startsWith('arn:')) return byName;
    return [...secrets.values()].find(({ arn }) => arn === id || arn.slice(0, -7) === id);
  }

  function existing(id: string): Secret {
    const secret = find(id);
    if (!secret || isPurged(secret)) throw notFound('secret');
    return secret;
  }

  function living(id: string): Secret {
    const secret = existing(id);
    if (secret.deletedAt === undefined) return secret;
    throw new AwsError(
      'InvalidRequestException',
      "You can't perform this operation on the secret because it was marked for deletion.",
    );
  }

  /** What access is asked to. A secret that is missing is judged by the name it would have. */
  function arnOf(id: string): string {
    if (id.startsWith('arn:')) return find(id)?.arn ?? id;
    return find(id)?.arn ?? account.arn('secretsmanager', `secret:${id}-??????`);
  }

  function readValue({ SecretId, VersionId, VersionStage }: Wanted): object {
    const secret = living(SecretId);
    const stage = VersionStage ?? (VersionId === undefined ? 'AWSCURRENT' : undefined);
    const id = VersionId ?? (stage === undefined ? undefined : versionWithStage(secret, stage));
    const version = id === undefined ? undefined : secret.versions[id];
    if (id === undefined || !version || (stage !== undefined && !version.stages.includes(stage))) {
      throw new AwsError(
        'ResourceNotFoundException',
        `Secrets Manager can't find the specified secret value for ${stage === undefined ? `VersionId: ${VersionId}` : `staging label: ${stage}`}`,
      );
    }
    return {
      ARN: secret.arn,
      Name: secret.name,
      VersionId: id,
      VersionStages: version.stages,
      CreatedDate: version.createdAt,
      ...openVersion(secret, id, seal),
    };
  }

  function readValues(ids: readonly string[] | undefined, filters: Filters): object {
    const SecretValues: object[] = [];
    const Errors: object[] = [];
    for (const SecretId of ids ?? list(filters).map(({ arn }) => arn)) {
      try {
        SecretValues.push(readValue({ SecretId }));
      } catch (error) {
        if (!(error instanceof AwsError)) throw error;
        Errors.push({ SecretId, ErrorCode: error.code, Message: error.message });
      }
    }
    return { SecretValues, Errors };
  }

  function list(filters: Filters): readonly Secret[] {
    return [...secrets.values()].filter(
      (secret) =>
        secret.deletedAt === undefined && filters.every((filter) => passes(secret, filter)),
    );
  }
}

/** A value that begins with `!` asks for everything else. */
function passes(secret: Secret, { Key, Values }: Filters[number]): boolean {
  const texts = {
    name: [secret.name],
    description: [secret.description ?? ''],
    'tag-key': secret.tags.map((tag) => tag.Key),
    'tag-value': secret.tags.map((tag) => tag.Value),
  }[Key];
  return Values.some((value) =>
    value.startsWith('!')
      ? !texts.some((text) => text.startsWith(value.slice(1)))
      : texts.some((text) => text.startsWith(value)),
  );
}

function isPurged({ purgeAt }: Secret): boolean {
  return purgeAt !== undefined && purgeAt <= Date.now();
}

export function notFound(what: 'secret' | 'version'): AwsError {
  return new AwsError(
    'ResourceNotFoundException',
    what === 'secret'
      ? "Secrets Manager can't find the specified secret."
      : "Secrets Manager can't find the specified secret version.",
  );
}
