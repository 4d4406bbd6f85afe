/** API keys for a test's tenants, made as the cli makes them. */
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { Redis } from 'ioredis';
import { clusterSettings } from '../../shared/config/cluster.ts';
import { readConfig } from '../../shared/config/setting.ts';
import { TenantId, UserId } from '../../shared/ids.ts';
import { hashApiKey, newApiKey } from '../../shared/tenants/api-keys.ts';
import { publishTenantChange } from '../../shared/tenants/tenant-changes.ts';
import { createTenantStore, type TenantStore } from '../../shared/tenants/tenant-store.ts';
import type { Cluster } from '../../deploy/local/cluster.ts';

type Reachable = Pick<Cluster, 'aws' | 'redis'>;

export async function withTenantStore<Result>(
  { aws }: Reachable,
  work: (store: TenantStore) => Promise<Result>,
): Promise<Result> {
  const dynamo = new DynamoDBClient(aws);
  try {
    const { tenantsTable } = readConfig(clusterSettings, {});
    return await work(createTenantStore({ dynamo, table: tenantsTable }));
  } finally {
    dynamo.destroy();
  }
}

export async function announce({ redis }: Reachable, tenant: string): Promise<void> {
  const connection = new Redis(redis);
  await publishTenantChange(connection, TenantId.parse(tenant));
  connection.disconnect();
}

export async function createKey(cluster: Reachable, tenant: string, user: string): Promise<string> {
  const key = newApiKey();
  await withTenantStore(cluster, (store) =>
    store.writeKey(hashApiKey(key), {
      tenant: TenantId.parse(tenant),
      user: UserId.parse(user),
      createdAt: Date.now(),
    }),
  );
  await announce(cluster, tenant);
  return key;
}
