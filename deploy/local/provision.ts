/** Creates the tables, the bucket and the bus that a cluster needs. What exists is left as it is. */
import {
  CreateTableCommand,
  DynamoDBClient,
  UpdateTimeToLiveCommand,
  waitUntilTableExists,
} from '@aws-sdk/client-dynamodb';
import { CreateEventBusCommand, EventBridgeClient } from '@aws-sdk/client-eventbridge';
import { BucketLocationConstraint, CreateBucketCommand, S3Client } from '@aws-sdk/client-s3';
import type { AwsAccess } from './aws-access.ts';

export interface Resources {
  readonly tenantsTable: string;
  readonly auditTable: string;
  readonly kvTable: string;
  readonly artifactsBucket: string;
  readonly eventBus: string;
}

const tableWaitSeconds = 60;

export async function provision(access: AwsAccess, resources: Resources): Promise<void> {
  const dynamo = new DynamoDBClient(access);
  // An endpoint of one's own has one host name, not one for each bucket.
  const s3 = new S3Client({ ...access, forcePathStyle: true });
  const events = new EventBridgeClient(access);
  try {
    await Promise.all([
      createTable(dynamo, resources.tenantsTable, ['pk', 'sk'], 'expires_at'),
      createTable(dynamo, resources.auditTable, ['pk', 'sk'], 'expires_at'),
      createTable(dynamo, resources.kvTable, ['tenant', 'sk'], 'expires_at'),
      createBucket(s3, resources.artifactsBucket, access.region),
      unless('ResourceAlreadyExistsException', () =>
        events.send(new CreateEventBusCommand({ Name: resources.eventBus })),
      ),
    ]);
  } finally {
    for (const client of [dynamo, s3, events]) client.destroy();
  }
}

async function createTable(
  dynamo: DynamoDBClient,
  table: string,
  [partition, sort]: readonly [string, string],
  expiry?: string,
): Promise<void> {
  const created = await unless('ResourceInUseException', () =>
    dynamo.send(
      new CreateTableCommand({
        TableName: table,
        BillingMode: 'PAY_PER_REQUEST',
        KeySchema: [
          { AttributeName: partition, KeyType: 'HASH' },
          { AttributeName: sort, KeyType: 'RANGE' },
        ],
        AttributeDefinitions: [
          { AttributeName: partition, AttributeType: 'S' },
          { AttributeName: sort, AttributeType: 'S' },
        ],
      }),
    ),
  );
  if (created?.TableDescription?.TableStatus !== 'ACTIVE') {
    const wait = { client: dynamo, minDelay: 1, maxWaitTime: tableWaitSeconds };
    await waitUntilTableExists(wait, { TableName: table });
  }
  if (expiry === undefined) return;
  // Refused with a ValidationException where it is on already.
  await unless('ValidationException', () =>
    dynamo.send(
      new UpdateTimeToLiveCommand({
        TableName: table,
        TimeToLiveSpecification: { AttributeName: expiry, Enabled: true },
      }),
    ),
  );
}

async function createBucket(s3: S3Client, bucket: string, region: string): Promise<void> {
  // Absent for us-east-1, where none may be named.
  const place = Object.values(BucketLocationConstraint).find((known) => known === region);
  const elsewhere = place && { CreateBucketConfiguration: { LocationConstraint: place } };
  await unless('BucketAlreadyOwnedByYou', () =>
    s3.send(new CreateBucketCommand({ Bucket: bucket, ...elsewhere })),
  );
}

/** Resolves with undefined if the work is refused with an exception of that name. */
async function unless<Result>(
  exception: string,
  work: () => Promise<Result>,
): Promise<Result | undefined> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof Error && error.name === exception) return undefined;
    throw error;
  }
}
