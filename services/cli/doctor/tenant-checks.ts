/** What the tenants' role lets a worker do as one tenant, and that it cannot cross over to another. */
import { DynamoDBClient, GetItemCommand, PutItemCommand } from '@aws-sdk/client-dynamodb';
import { EventBridgeClient, PutEventsCommand } from '@aws-sdk/client-eventbridge';
import { ListObjectsV2Command, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { GetSecretValueCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import type { AwsAccess } from '../../../deploy/local/aws-access.ts';
import { failed, ok, type Check } from './check.ts';
import { mayDo, mayNotDo, type Probe } from './probe.ts';

export interface TenantChecksPorts {
  /** Of the role, assumed for `doctorTenant`. */
  readonly credentials: () => Promise<{
    readonly accessKeyId: string;
    readonly secretAccessKey: string;
    readonly sessionToken?: string;
  }>;
  readonly access: AwsAccess;
  readonly role: string;
  readonly kvTable: string;
  readonly artifactsBucket: string;
  readonly eventBus: string;
}

/** Need not exist: to AWS a tenant is a tag. */
export const doctorTenant = 'mesh-doctor';
const otherTenant = 'mesh-doctor-other';

export function tenantChecks(ports: TenantChecksPorts): readonly Check[] {
  const { access, credentials, role } = ports;
  const clients = openClients({ ...access, credentials, maxAttempts: 2 });
  const probes = (tenant: string): readonly Probe[] => storeProbes(tenant, ports, clients);
  return [
    { name: "worker may assume the tenants' role", run: () => assume(credentials, role) },
    ...[...probes(doctorTenant), publish('agent-mesh', ports, clients)].map((probe) =>
      mayDo('a tenant', probe),
    ),
    ...[
      ...probes(otherTenant),
      readSecret(otherTenant, clients),
      publish('mesh.doctor', ports, clients),
    ].map((probe) => mayNotDo('a tenant', probe)),
  ];
}

async function assume(credentials: TenantChecksPorts['credentials'], role: string) {
  try {
    await credentials();
    return ok(role);
  } catch (error) {
    return failed(
      error instanceof Error ? error.message : String(error),
      "Allow sts:AssumeRole and sts:TagSession on it, and trust the worker's role: deploy/aws/trust-policy.json.",
    );
  }
}

function openClients(config: object) {
  return {
    dynamo: new DynamoDBClient(config),
    s3: new S3Client({ ...config, forcePathStyle: true }),
    events: new EventBridgeClient({ ...config, maxAttempts: 1 }),
    secrets: new SecretsManagerClient(config),
  };
}
type Clients = ReturnType<typeof openClients>;

function storeProbes(
  tenant: string,
  { kvTable: TableName, artifactsBucket: Bucket }: TenantChecksPorts,
  { dynamo, s3 }: Clients,
): readonly Probe[] {
  const Key = { tenant: { S: tenant }, sk: { S: 'doctor' } };
  const items = `items of ${tenant}`;
  const objects = `objects of ${tenant}`;
  const never = { ConditionExpression: 'attribute_exists(tenant)' };
  // No object has this version, so that none is ever written.
  const object = { Bucket, Key: `${tenant}/doctor`, IfMatch: '"none"', Body: 'doctor' };
  return [
    {
      action: 'dynamodb:GetItem',
      on: items,
      send: () => dynamo.send(new GetItemCommand({ TableName, Key })),
    },
    {
      action: 'dynamodb:PutItem',
      on: items,
      send: () => dynamo.send(new PutItemCommand({ TableName, Item: Key, ...never })),
    },
    {
      action: 's3:ListBucket',
      on: objects,
      send: () => s3.send(new ListObjectsV2Command({ Bucket, Prefix: `${tenant}/`, MaxKeys: 1 })),
    },
    { action: 's3:PutObject', on: objects, send: () => s3.send(new PutObjectCommand(object)) },
  ];
}

/** An event whose detail is no JSON: whoever may publish hears that it is not published. */
function publish(Source: string, { eventBus }: TenantChecksPorts, { events }: Clients): Probe {
  const entry = { EventBusName: eventBus, Source, DetailType: 'doctor', Detail: 'no JSON' };
  return {
    action: 'events:PutEvents',
    on: `events from ${Source}`,
    send: () => events.send(new PutEventsCommand({ Entries: [entry] })),
  };
}

function readSecret(tenant: string, { secrets }: Clients): Probe {
  const SecretId = `mcp-credentials/${tenant}/doctor`;
  return {
    action: 'secretsmanager:GetSecretValue',
    on: `credentials of ${tenant}`,
    send: () => secrets.send(new GetSecretValueCommand({ SecretId })),
  };
}
