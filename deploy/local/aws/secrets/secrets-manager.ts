/** Secrets Manager: the operations by name. Values are sealed before they are stored. */
import { randomInt } from 'node:crypto';
import { z } from 'zod';
import type { Account } from '../account.ts';
import { AwsError } from '../aws-error.ts';
import type { Journal } from '../journal.ts';
import { operation, type JsonService } from '../operation.ts';
import { createSeal } from './seal.ts';
import { createSecrets, Filters, GetSecretValue, notFound } from './secrets.ts';
import { stagesByVersion, Tags, versionWithStage, withStage, type Secret } from './versions.ts';

const bySecret = { SecretId: z.string().min(1) };
const token = { ClientRequestToken: z.string().min(32).max(64).optional() };
const value = { SecretString: z.string().optional(), SecretBinary: z.string().optional() };
const page = {
  MaxResults: z.number().int().min(1).max(100).optional(),
  NextToken: z.string().optional(),
};
const dayMs = 86_400_000;

export function createSecretsManager(ports: {
  readonly journal: Journal;
  readonly account: Account;
  readonly dataDir: string;
}): JsonService {
  const secrets = createSecrets(ports.journal, ports.account, createSeal(ports.dataDir));
  const needs = ({ SecretId }: { readonly SecretId: string }, action: string) => [
    { action, resource: secrets.arnOf(SecretId), context: {} },
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
          // The suffix is not made yet; a policy's wildcard has to cover whatever it will be.
          needs: ({ Name }, action) => [
            {
              action,
              resource: ports.account.arn('secretsmanager', `secret:${Name}-??????`),
              context: {},
            },
          ],
          run(input) {
            secrets.refuseTaken(input.Name);
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
            return secrets.save(secret, input, ['AWSCURRENT']);
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
            const saved = secrets.save(secrets.living(input.SecretId), input, input.VersionStages);
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
            const secret = secrets.living(input.SecretId);
            const description = input.Description ?? secret.description;
            const kmsKeyId = input.KmsKeyId ?? secret.kmsKeyId;
            return secrets.save({ ...secret, description, kmsKeyId }, input, ['AWSCURRENT']);
          },
        },
      ),
      GetSecretValue: operation(GetSecretValue, {
        needs,
        run: (input) => secrets.readValue(input),
      }),
      BatchGetSecretValue: operation(
        z.strictObject({ ...page, SecretIdList: z.array(z.string()).optional(), Filters }),
        { run: ({ SecretIdList, Filters }) => secrets.readValues(SecretIdList, Filters) },
      ),
      DescribeSecret: operation(z.strictObject(bySecret), {
        needs,
        run({ SecretId }) {
          const secret = secrets.existing(SecretId);
          return { ...shown(secret), VersionIdsToStages: stagesByVersion(secret) };
        },
      }),
      ListSecrets: operation(
        z.strictObject({ ...page, Filters, SortOrder: z.enum(['asc', 'desc']).optional() }),
        {
          run({ Filters, MaxResults = 100, NextToken = '0' }) {
            const found = secrets.list(Filters);
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
            const { arn, name, versions } = secrets.existing(SecretId);
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
            const secret = secrets.living(SecretId);
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
            return secrets.save(withStage(secret, VersionStage, MoveToVersionId));
          },
        },
      ),
      TagResource: operation(z.strictObject({ ...bySecret, Tags }), {
        needs,
        run({ SecretId, Tags }) {
          const secret = secrets.living(SecretId);
          const kept = secret.tags.filter(({ Key }) => !Tags.some((tag) => tag.Key === Key));
          secrets.save({ ...secret, tags: [...kept, ...Tags] });
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
            const secret = secrets.existing(SecretId);
            const windowMs = ForceDeleteWithoutRecovery ? 0 : RecoveryWindowInDays * dayMs;
            const purgeAt = Date.now() + windowMs;
            secrets.remove(secret, purgeAt);
            return { ARN: secret.arn, Name: secret.name, DeletionDate: purgeAt / 1_000 };
          },
        },
      ),
      RestoreSecret: operation(z.strictObject(bySecret), {
        needs,
        run({ SecretId }) {
          const { deletedAt: _at, purgeAt: _until, ...secret } = secrets.existing(SecretId);
          return secrets.save(secret);
        },
      }),
    },
  };
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

const suffixLetters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789';

/** The six random characters at the end of a secret's ARN. */
function suffix(): string {
  return Array.from({ length: 6 }, () => suffixLetters[randomInt(suffixLetters.length)]).join('');
}
