/** Secrets Manager: the operations by name. Values are sealed before they are stored. */
import { randomInt } from 'node:crypto';
import { z } from 'zod';
import type { Account } from './account.ts';
import { AwsError } from './aws-error.ts';
import type { Journal } from './journal.ts';
import { operation, type JsonService } from './operation.ts';
import { createSeal } from './secret-seal.ts';
import {
  openVersion,
  Secret,
  stagesByVersion,
  Tags,
  versionWithStage,
  withStage,
  withVersion,
} from './secret-versions.ts';

const bySecret = { SecretId: z.string().min(1) };
const token = { ClientRequestToken: z.string().min(32).max(64).optional() };
const value = { SecretString: z.string().optional(), SecretBinary: z.string().optional() };
const page = {
  MaxResults: z.number().int().min(1).max(100).optional(),
  NextToken: z.string().optional(),
};
const Filters = z
  .array(
    z.strictObject({
      Key: z.enum(['name', 'description', 'tag-key', 'tag-value']),
      Values: z.array(z.string()),
    }),
  )
  .default([]);
type Filters = z.output<typeof Filters>;

const GetSecretValue = z.strictObject({
  ...bySecret,
  VersionId: z.string().optional(),
  VersionStage: z.string().optional(),
});
type Wanted = z.output<typeof GetSecretValue>;

const dayMs = 86_400_000;

export function createSecretsManager(ports: {
  readonly journal: Journal;
  readonly account: Account;
  readonly dataDir: string;
}): JsonService {
  const secrets = ports.journal.collection('secrets', (stored) => Secret.parse(stored));
  const seal = createSeal(ports.dataDir);
  const needs = ({ SecretId }: { readonly SecretId: string }, action: string) => [
    { action, resource: arnOf(SecretId), context: {} },
  ];

  return {
    target: 'secretsmanager',
    prefix: 'secretsmanager',
    contentType: 'application/x-amz-json-1.1',
    errorNamespace: '',
    emptyBody: '{}',
    operations: {
      CreateSecret: operation(
        z.strictObject({
          ...token,
          ...value,
          Name: z.string().regex(/^[\w/+=.@-]{1,512}$/),
          Description: z.string().optional(),
          KmsKeyId: z.string().optional(),
          Tags: Tags.default([]),
        }),
        {
          run(input) {
            refuseTaken(input.Name);
            const now = Date.now() / 1_000;
            const secret: Secret = {
              name: input.Name,
              arn: ports.account.arn('secretsmanager', `secret:${input.Name}-${suffix()}`),
              description: input.Description,
              kmsKeyId: input.KmsKeyId,
              tags: input.Tags,
              createdAt: now,
              changedAt: now,
              versions: {},
            };
            return save(secret, input, ['AWSCURRENT']);
          },
        },
      ),
      PutSecretValue: operation(
        z.strictObject({
          ...bySecret,
          ...token,
          ...value,
          VersionStages: z.array(z.string()).min(1).default(['AWSCURRENT']),
        }),
        {
          needs,
          run(input) {
            const saved = save(living(input.SecretId), input, input.VersionStages);
            const stages = secrets.get(saved.Name)?.versions[saved.VersionId ?? '']?.stages;
            return { ...saved, VersionStages: stages };
          },
        },
      ),
      UpdateSecret: operation(
        z.strictObject({
          ...bySecret,
          ...token,
          ...value,
          Description: z.string().optional(),
          KmsKeyId: z.string().optional(),
        }),
        {
          needs,
          run(input) {
            const secret = living(input.SecretId);
            const description = input.Description ?? secret.description;
            const kmsKeyId = input.KmsKeyId ?? secret.kmsKeyId;
            return save({ ...secret, description, kmsKeyId }, input, ['AWSCURRENT']);
          },
        },
      ),
      GetSecretValue: operation(GetSecretValue, { needs, run: readValue }),
      BatchGetSecretValue: operation(
        z.strictObject({ ...page, SecretIdList: z.array(z.string()).optional(), Filters }),
        { run: ({ SecretIdList, Filters }) => readValues(SecretIdList, Filters) },
      ),
      DescribeSecret: operation(z.strictObject(bySecret), {
        needs,
        run({ SecretId }) {
          const secret = existing(SecretId);
          return { ...shown(secret), VersionIdsToStages: stagesByVersion(secret) };
        },
      }),
      ListSecrets: operation(
        z.strictObject({ ...page, Filters, SortOrder: z.enum(['asc', 'desc']).optional() }),
        {
          run({ Filters, MaxResults = 100, NextToken = '0' }) {
            const found = list(Filters);
            const start = Number(NextToken);
            const end = start + MaxResults;
            return {
              SecretList: found.slice(start, end).map((secret) => ({
                ...shown(secret),
                SecretVersionsToStages: stagesByVersion(secret),
              })),
              ...(end < found.length ? { NextToken: String(end) } : {}),
            };
          },
        },
      ),
      ListSecretVersionIds: operation(
        z.strictObject({ ...bySecret, ...page, IncludeDeprecated: z.boolean().default(false) }),
        {
          needs,
          run({ SecretId, IncludeDeprecated }) {
            const { arn, name, versions } = existing(SecretId);
            const kept = Object.entries(versions).filter(
              ([, { stages }]) => IncludeDeprecated || stages.length > 0,
            );
            return {
              ARN: arn,
              Name: name,
              Versions: kept.map(([VersionId, { stages, createdAt }]) => ({
                VersionId,
                VersionStages: stages,
                CreatedDate: createdAt,
              })),
            };
          },
        },
      ),
      UpdateSecretVersionStage: operation(
        z.strictObject({
          ...bySecret,
          VersionStage: z.string(),
          MoveToVersionId: z.string().optional(),
          RemoveFromVersionId: z.string().optional(),
        }),
        {
          needs,
          run({ SecretId, VersionStage, MoveToVersionId, RemoveFromVersionId }) {
            const secret = living(SecretId);
            if (MoveToVersionId !== undefined && !secret.versions[MoveToVersionId]) {
              throw notFound('version');
            }
            const holder = versionWithStage(secret, VersionStage);
            const mustBeNamed = holder !== undefined && holder !== MoveToVersionId;
            if (mustBeNamed && holder !== RemoveFromVersionId) {
              throw new AwsError(
                'InvalidParameterException',
                `The parameter RemoveFromVersionId must be ${holder}, to which staging label ${VersionStage} is attached.`,
              );
            }
            return save(withStage(secret, VersionStage, MoveToVersionId));
          },
        },
      ),
      TagResource: operation(z.strictObject({ ...bySecret, Tags }), {
        needs,
        run({ SecretId, Tags }) {
          const secret = living(SecretId);
          const kept = secret.tags.filter(({ Key }) => !Tags.some((tag) => tag.Key === Key));
          save({ ...secret, tags: [...kept, ...Tags] });
        },
      }),
      DeleteSecret: operation(
        z.strictObject({
          ...bySecret,
          RecoveryWindowInDays: z.number().int().min(7).max(30).default(30),
          ForceDeleteWithoutRecovery: z.boolean().default(false),
        }),
        {
          needs,
          run({ SecretId, RecoveryWindowInDays, ForceDeleteWithoutRecovery }) {
            const secret = existing(SecretId);
            const now = Date.now();
            const purgeAt = ForceDeleteWithoutRecovery ? now : now + RecoveryWindowInDays * dayMs;
            if (ForceDeleteWithoutRecovery) secrets.delete(secret.name);
            else secrets.set(secret.name, { ...secret, deletedAt: now / 1_000, purgeAt });
            return { ARN: secret.arn, Name: secret.name, DeletionDate: purgeAt / 1_000 };
          },
        },
      ),
      RestoreSecret: operation(z.strictObject(bySecret), {
        needs,
        run({ SecretId }) {
          const { deletedAt, purgeAt, ...secret } = existing(SecretId);
          return save(secret);
        },
      }),
    },
  };

  /** Stores the secret, with a new version if a value is given. */
  function save(
    secret: Secret,
    input: {
      readonly SecretString?: string | undefined;
      readonly SecretBinary?: string | undefined;
      readonly ClientRequestToken?: string | undefined;
    } = {},
    stages: readonly string[] = [],
  ): { ARN: string; Name: string; VersionId?: string } {
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
    return find(id)?.arn ?? ports.account.arn('secretsmanager', `secret:${id}-??????`);
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

function shown(secret: Secret): object {
  return {
    ARN: secret.arn,
    Name: secret.name,
    Description: secret.description,
    KmsKeyId: secret.kmsKeyId,
    Tags: secret.tags,
    CreatedDate: secret.createdAt,
    LastChangedDate: secret.changedAt,
    DeletedDate: secret.deletedAt,
  };
}

function isPurged({ purgeAt }: Secret): boolean {
  return purgeAt !== undefined && purgeAt <= Date.now();
}

const suffixLetters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789';

/** The six random characters at the end of a secret's ARN. */
function suffix(): string {
  return Array.from({ length: 6 }, () => suffixLetters[randomInt(suffixLetters.length)]).join('');
}

function notFound(what: 'secret' | 'version'): AwsError {
  return new AwsError(
    'ResourceNotFoundException',
    what === 'secret'
      ? "Secrets Manager can't find the specified secret."
      : "Secrets Manager can't find the specified secret version.",
  );
}
