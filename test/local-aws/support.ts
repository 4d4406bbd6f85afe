/** A local AWS for one test file, and the real SDK's clients for it: as the account, or as one tenant. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as dynamodb from '@aws-sdk/client-dynamodb';
import { EventBridgeClient } from '@aws-sdk/client-eventbridge';
import { S3Client } from '@aws-sdk/client-s3';
import { SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { SQSClient } from '@aws-sdk/client-sqs';
import { AssumeRoleCommand, STSClient } from '@aws-sdk/client-sts';
import { startLocalAws, type LocalAws } from '../../deploy/local/aws/server.ts';

export const rootCredentials = { accessKeyId: 'AKIALOCALROOT', secretAccessKey: 'local-secret' };
const region = 'us-west-2';
export const tenantRole = 'arn:aws:iam::000000000000:role/agent-mesh-tenant';

export interface Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
}

export function clientsOf(endpoint: string, credentials: Credentials = rootCredentials) {
  const options = { region, endpoint, credentials, maxAttempts: 1 };
  return {
    dynamodb: new dynamodb.DynamoDBClient(options),
    s3: new S3Client(options),
    sqs: new SQSClient(options),
    eventbridge: new EventBridgeClient(options),
    secrets: new SecretsManagerClient(options),
    sts: new STSClient(options),
  };
}
export type Clients = ReturnType<typeof clientsOf>;

export function aDataDir(): string {
  return mkdtempSync(join(tmpdir(), 'local-aws-'));
}

export async function startAws(dataDir = aDataDir()) {
  const aws: LocalAws = await startLocalAws({ dataDir, region, credentials: rootCredentials });
  return {
    url: aws.url,
    dataDir,
    ...clientsOf(aws.url),
    /** Clients of a session tagged with that tenant. */
    asTenant: (tenant: string) => asTenant(aws.url, tenant),
    close: () => aws.close(),
    async [Symbol.asyncDispose]() {
      await aws.close();
      rmSync(dataDir, { recursive: true, force: true });
    },
  };
}

async function asTenant(url: string, tenant: string): Promise<Clients> {
  return clientsOf(url, await tenantCredentials(url, tenant));
}

export async function tenantCredentials(url: string, tenant: string): Promise<Credentials> {
  const { Credentials } = await clientsOf(url).sts.send(
    new AssumeRoleCommand({
      RoleArn: tenantRole,
      RoleSessionName: `tenant-${tenant}`,
      Tags: [{ Key: 'tenant', Value: tenant }],
      DurationSeconds: 900,
    }),
  );
  return {
    accessKeyId: Credentials?.AccessKeyId ?? '',
    secretAccessKey: Credentials?.SecretAccessKey ?? '',
    sessionToken: Credentials?.SessionToken ?? '',
  };
}

/** The local AWS as its own process, as the launcher runs it. */
export async function spawnAws(
  dataDir: string,
): Promise<{ readonly child: ChildProcess; readonly url: string }> {
  const child = spawn(process.execPath, [mainPath], {
    env: {
      ...process.env,
      LOCAL_AWS_PORT: '0',
      LOCAL_AWS_DATA_DIR: dataDir,
      AWS_REGION: region,
      AWS_ACCESS_KEY_ID: rootCredentials.accessKeyId,
      AWS_SECRET_ACCESS_KEY: rootCredentials.secretAccessKey,
    },
    stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
  });
  const [ready] = (await once(child, 'message')) as [{ url: string }];
  return { child, url: ready.url };
}

const mainPath = fileURLToPath(new URL('../../deploy/local/aws/main.ts', import.meta.url));

/** Creates a table with keys `pk` and `sk`, and an index on `gsi1pk` and `sk`. */
export async function createTable(client: Clients['dynamodb'], TableName: string): Promise<void> {
  await client.send(
    new dynamodb.CreateTableCommand({
      TableName,
      BillingMode: 'PAY_PER_REQUEST',
      AttributeDefinitions: ['pk', 'sk', 'gsi1pk'].map((AttributeName) => ({
        AttributeName,
        AttributeType: 'S',
      })),
      KeySchema: [
        { AttributeName: 'pk', KeyType: 'HASH' },
        { AttributeName: 'sk', KeyType: 'RANGE' },
      ],
      GlobalSecondaryIndexes: [
        {
          IndexName: 'gsi1',
          KeySchema: [
            { AttributeName: 'gsi1pk', KeyType: 'HASH' },
            { AttributeName: 'sk', KeyType: 'RANGE' },
          ],
          Projection: { ProjectionType: 'ALL' },
        },
      ],
    }),
  );
}

/** Resolves with the refusal of that name. @throws for any other outcome. */
export async function refusal<T extends Error = Error>(
  answer: Promise<unknown>,
  name: string,
): Promise<T & { $metadata: { httpStatusCode?: number } }> {
  const outcome = await answer.then(
    () => undefined,
    (error: T & { $metadata: { httpStatusCode?: number } }) => error,
  );
  if (outcome?.name !== name) throw new Error(`Expected ${name}, got ${String(outcome)}`);
  return outcome;
}
