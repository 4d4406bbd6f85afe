/** The local AWS with a table, a bucket and a bus in it, as the SDK finds it: by environment variables. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CreateTableCommand, DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { CreateEventBusCommand, EventBridgeClient } from '@aws-sdk/client-eventbridge';
import { SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3';
import { startLocalAws } from '../../../deploy/local/aws/server.ts';
import { createClientCache, type ClientsOptions } from '../../../shared/aws/clients.ts';
import { createTenantAws } from '../../../shared/aws/create-tenant-aws.ts';
import type { CallContext, TenantAws } from '../../../shared/aws/tenant-aws.ts';
import { TenantId, UserId } from '../../../shared/ids.ts';
import { Limits } from '../../../shared/tenants/tenant.ts';

export const region = 'us-west-2';
export const names = {
  kvTable: 'agent-mesh-kv',
  artifactsBucket: 'agent-mesh-artifacts',
  eventBus: 'agent-mesh-events',
} as const;

/** What a test says about a call; the rest is what a call is usually like. */
export interface ACall {
  readonly tenant?: string;
  readonly user?: string;
  readonly sequence?: number;
  readonly attempt?: number;
  readonly deadline?: number;
  readonly signal?: AbortSignal;
  readonly assertLease?: () => void;
}

/** Where the SDK is to find its AWS and whose credentials to use, for this process. */
export function pointSdkAt(url: string): void {
  process.env['AWS_ENDPOINT_URL'] = url;
  process.env['AWS_ACCESS_KEY_ID'] = 'test';
  process.env['AWS_SECRET_ACCESS_KEY'] = 'test';
  delete process.env['AWS_SESSION_TOKEN'];
  delete process.env['AWS_PROFILE'];
}

/** Binds calls to clients made with `options`. The last sequence number given is the highest. */
export function createCalls(
  options: Partial<ClientsOptions> & { readonly limits?: Partial<Limits> } = {},
) {
  const { limits, ...rest } = options;
  const clients = createClientCache({ region, ...rest });
  const limitsOf = () => Promise.resolve({ ...Limits.parse({}), ...limits });
  let sequence = 0;
  return {
    clients,
    call(given: ACall = {}): TenantAws {
      sequence += 1;
      const call: CallContext = {
        tenant: TenantId.parse(given.tenant ?? 'acme'),
        user: UserId.parse(given.user ?? 'ann'),
        sequence: given.sequence ?? sequence,
        attempt: given.attempt ?? 1,
        deadline: given.deadline ?? Date.now() + 60_000,
        signal: given.signal ?? new AbortController().signal,
        assertLease: given.assertLease ?? (() => {}),
      };
      return createTenantAws(call, { clients, ...names, limitsOf });
    },
  };
}

export async function startLocalCloud() {
  const dataDir = await mkdtemp(join(tmpdir(), 'mesh-aws-'));
  const server = await startLocalAws({
    host: '127.0.0.1',
    port: 0,
    dataDir,
    region,
    credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
  });
  pointSdkAt(server.url);
  const dynamodb = new DynamoDBClient({ region });
  const s3 = new S3Client({ region, forcePathStyle: true });
  const eventbridge = new EventBridgeClient({ region });
  const secrets = new SecretsManagerClient({ region });
  await dynamodb.send(
    new CreateTableCommand({
      TableName: names.kvTable,
      BillingMode: 'PAY_PER_REQUEST',
      AttributeDefinitions: [
        { AttributeName: 'tenant', AttributeType: 'S' },
        { AttributeName: 'sk', AttributeType: 'S' },
      ],
      KeySchema: [
        { AttributeName: 'tenant', KeyType: 'HASH' },
        { AttributeName: 'sk', KeyType: 'RANGE' },
      ],
    }),
  );
  await s3.send(new CreateBucketCommand({ Bucket: names.artifactsBucket }));
  await eventbridge.send(new CreateEventBusCommand({ Name: names.eventBus }));
  return {
    url: server.url,
    /** The operator's clients, for what a tenant may not see. */
    operator: { dynamodb, s3, eventbridge, secrets },
    ...createCalls(),
    async [Symbol.asyncDispose]() {
      await server.close();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}

export type LocalCloud = Awaited<ReturnType<typeof startLocalCloud>>;
