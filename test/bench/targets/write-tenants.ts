/**
 * Tenants with limits that no bench reaches, each with a user and a key. The store says how a
 * record looks; what it would put one by one goes out in batches, or ten thousand would take a minute.
 */
import {
  BatchWriteItemCommand,
  DynamoDBClient,
  type TransactWriteItemsCommand,
  type WriteRequest,
} from '@aws-sdk/client-dynamodb';
import type { Cluster } from '../../../deploy/local/cluster.ts';
import { clusterSettings } from '../../../shared/config/cluster.ts';
import { readConfig } from '../../../shared/config/setting.ts';
import { hashApiKey, newApiKey } from '../../../shared/tenants/api-keys.ts';
import { Tenant, User } from '../../../shared/tenants/tenant.ts';
import { createTenantStore } from '../../../shared/tenants/tenant-store.ts';

const batchSize = 25;
const batchesAtOnce = 8;

const limits = {
  concurrency: 100_000,
  requestsPerMinute: 1_000_000_000,
  userRequestsPerMinute: 1_000_000_000,
  backlog: 1_000_000,
  backlogBytes: 1_000_000_000,
  aws: { dynamodbRead: 1_000_000, s3Get: 1_000_000, s3Put: 1_000_000 },
};

export function benchTenantId(index: number): string {
  return `bench-${index}`;
}

/** Resolves with their keys, in order. */
export async function writeTenants(
  { aws }: Pick<Cluster, 'aws'>,
  count: number,
): Promise<readonly string[]> {
  const { tenantsTable } = readConfig(clusterSettings, {});
  const puts: WriteRequest[] = [];
  const collect = {
    // Without the notes of the writes: nobody knows these tenants yet.
    send: async ({ input }: TransactWriteItemsCommand) =>
      puts.push({ PutRequest: { Item: input.TransactItems?.[0]?.Put?.Item } }),
  };
  const store = createTenantStore({
    dynamo: collect as unknown as DynamoDBClient,
    table: tenantsTable,
  });
  const keys: string[] = [];
  for (let i = 0; i < count; i += 1) {
    const id = benchTenantId(i);
    const tenant = Tenant.parse({ id, name: id, limits });
    const user = User.parse({ id: 'bench', role: 'Admin' });
    const key = newApiKey();
    await store.createTenant(tenant);
    await store.writeUser(tenant.id, user);
    await store.writeKey(hashApiKey(key), {
      tenant: tenant.id,
      user: user.id,
      createdAt: Date.now(),
    });
    keys.push(key);
  }
  await sendInBatches(aws, tenantsTable, puts);
  return keys;
}

async function sendInBatches(
  aws: Cluster['aws'],
  table: string,
  puts: readonly WriteRequest[],
): Promise<void> {
  const dynamo = new DynamoDBClient(aws);
  let next = 0;
  async function sendSome(): Promise<void> {
    while (next < puts.length) {
      const batch = puts.slice(next, (next += batchSize));
      const { UnprocessedItems } = await dynamo.send(
        new BatchWriteItemCommand({ RequestItems: { [table]: batch } }),
      );
      if (UnprocessedItems?.[table]?.length) throw new Error('a batch of tenants was not written');
    }
  }
  try {
    await Promise.all(Array.from({ length: batchesAtOnce }, sendSome));
  } finally {
    dynamo.destroy();
  }
}
