/** Ten thousand tenants, written as the store writes them, a batch at a time. */
import { BatchWriteItemCommand, DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { clusterSettings } from '../../shared/config/cluster.ts';
import { readConfig } from '../../shared/config/setting.ts';
import { Tenant } from '../../shared/tenants/tenant.ts';
import type { TestCluster } from '../support/cluster.ts';

const perBatch = 25;
const batchesAtOnce = 8;

/** `tenant-0001` and so on, named `Customer 0001`. */
export async function addTenants({ aws }: TestCluster, count: number): Promise<void> {
  const { tenantsTable } = readConfig(clusterSettings, {});
  const dynamo = new DynamoDBClient(aws);
  const requests = Array.from({ length: count }, (_, index) => {
    const number = String(index + 1).padStart(4, '0');
    const tenant = Tenant.parse({ id: `tenant-${number}`, name: `Customer ${number}` });
    const Item = {
      pk: { S: `TENANT#${tenant.id}` },
      sk: { S: 'RECORD' },
      record: { S: JSON.stringify(tenant) },
      version: { N: '1' },
    };
    return { PutRequest: { Item } };
  });
  const step = perBatch * batchesAtOnce;
  for (let from = 0; from < count; from += step) {
    await Promise.all(
      Array.from({ length: batchesAtOnce }, async (_, at) => {
        const some = requests.slice(from + at * perBatch, from + (at + 1) * perBatch);
        if (some.length === 0) return;
        const RequestItems = { [tenantsTable]: some };
        await dynamo.send(new BatchWriteItemCommand({ RequestItems }));
      }),
    );
  }
  dynamo.destroy();
}
