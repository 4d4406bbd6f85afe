/** What the books of a tenant say, what is stored in fact, and calls that die at a chosen request. */
import { GetItemCommand, UpdateItemCommand } from '@aws-sdk/client-dynamodb';
import { Fault } from '../../shared/faults.ts';
import { TenantId } from '../../shared/ids.ts';
import { recount } from '../../shared/usage/recount.ts';
import { readUsage, type UsageKind } from '../../shared/usage/usage-item.ts';
import { names, type LocalCloud } from '../shared/aws/local-cloud.ts';

export function openBooks({ operator }: LocalCloud) {
  const { dynamodb, s3 } = operator;
  const ports = { dynamodb, s3, ...names };
  return {
    read: (tenant: string, kind: UsageKind = 'kv') =>
      readUsage({ dynamodb, table: names.kvTable, tenant: TenantId.parse(tenant), kind }),
    /** Makes the value and the books what they would be, had it been written so many hours earlier. */
    async letHoursPass(tenant: string, key: string, hours: number): Promise<void> {
      const { kvTable: TableName } = names;
      const value = { TableName, Key: { tenant: { S: tenant }, sk: { S: `kv#${key}` } } };
      const { Item: item } = await dynamodb.send(new GetItemCommand(value));
      const hour = Number(item?.['hour']?.N);
      const earlier = (name: string, by: number) => ({ N: String(Number(item?.[name]?.N) - by) });
      await dynamodb.send(
        new UpdateItemCommand({
          ...value,
          UpdateExpression: 'SET #hour = :hour, expires_ms = :expires',
          ExpressionAttributeNames: { '#hour': 'hour' },
          ExpressionAttributeValues: {
            ':hour': earlier('hour', hours),
            ':expires': earlier('expires_ms', hours * 3_600_000),
          },
        }),
      );
      await dynamodb.send(
        new UpdateItemCommand({
          TableName,
          Key: { tenant: { S: `${tenant}#meta` }, sk: { S: 'usage#kv' } },
          UpdateExpression: 'SET #to = #from REMOVE #from',
          ExpressionAttributeNames: { '#from': `h${hour}`, '#to': `h${hour - hours}` },
        }),
      );
    },

    async recount(tenant: string, kind: UsageKind = 'kv', repair = false) {
      const all = await recount(TenantId.parse(tenant), ports, { repair });
      const found = all.find((each) => each.kind === kind);
      if (!found) throw new Error(`no recount of ${kind}`);
      return found;
    },
  };
}

/** A call that lets `requests` requests out and then dies, as a worker does that is killed. */
export function dyingAfter(requests: number): { readonly assertLease: () => void } {
  // The first question comes before any request.
  let left = requests + 1;
  return {
    assertLease() {
      left -= 1;
      if (left < 0) throw new Fault('cancelled', 'died');
    },
  };
}

/** A deadline so far back that whatever its call left behind is anyone's to settle. */
export const longAgo = (): number => Date.now() - 3_600_000;
