/**
 * The key-value store: one DynamoDB item per key, in a partition that is exactly the tenant's id.
 *
 * Every write carries its call's sequence number and yields to a later one, so that a re-run after
 * a crash never brings an old value back.
 */
import { GetItemCommand, PutItemCommand, type DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { isConditionFailed } from './aws-fault.ts';
import type { CallContext } from './tenant-aws.ts';

export interface KvPorts {
  readonly call: CallContext;
  readonly dynamodb: DynamoDBClient;
  readonly table: string;
}

/** Rejects with the SDK's own errors, as all of this file. */
export async function readKv(key: string, ports: KvPorts): Promise<string | undefined> {
  const { call, dynamodb, table } = ports;
  const { Item: item } = await dynamodb.send(
    new GetItemCommand({ TableName: table, Key: itemKey(key, call), ConsistentRead: true }),
    { abortSignal: call.signal },
  );
  // DynamoDB sweeps expired items hours late.
  const expiresMs = Number(item?.['expires_ms']?.N ?? Number(item?.['expires_at']?.N) * 1_000);
  return expiresMs <= Date.now() ? undefined : item?.['value']?.S;
}

export async function writeKv(
  key: string,
  value: string,
  ttlMs: number | undefined,
  ports: KvPorts,
): Promise<void> {
  const { call, dynamodb, table } = ports;
  const put = new PutItemCommand({
    TableName: table,
    Item: {
      ...itemKey(key, call),
      value: { S: value },
      seq: { N: String(call.sequence) },
      created_at: { N: String(Math.floor(Date.now() / 1_000)) },
      ...(ttlMs === undefined ? {} : expiry(Date.now() + ttlMs)),
    },
    ConditionExpression: 'attribute_not_exists(seq) OR seq <= :mine',
    ExpressionAttributeValues: { ':mine': { N: String(call.sequence) } },
  });
  try {
    await dynamodb.send(put, { abortSignal: call.signal });
  } catch (error) {
    // A later call has written: this one's write came before it and is gone, as it should be.
    if (!isConditionFailed(error)) throw error;
  }
}

function itemKey(key: string, { tenant }: CallContext) {
  // The sort key names its kind, so that no key of a tenant can reach another kind of item.
  return { tenant: { S: tenant }, sk: { S: `kv#${key}` } };
}

/** `expires_at` is for DynamoDB's sweep, in whole epoch seconds; `expires_ms` is what readers go by. */
function expiry(atMs: number) {
  return {
    expires_at: { N: String(Math.ceil(atMs / 1_000)) },
    expires_ms: { N: String(Math.ceil(atMs)) },
  };
}
