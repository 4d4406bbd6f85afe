/**
 * Reads of the key-value store: one DynamoDB item per key, in a partition that is exactly the
 * tenant's id. Writes are in `kv-write.ts`. All of this file rejects with the SDK's own errors.
 */
import { GetItemCommand, QueryCommand, type DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { createHash } from 'node:crypto';
import { z } from 'zod';
import { Fault } from '../faults.ts';
import type { KvAccountingPorts } from './kv-accounting.ts';
import { expiryOf, itemKey, kvSortKey } from './kv-item.ts';
import type { CallContext, KvPage } from './tenant-aws.ts';

export interface KvPorts extends KvAccountingPorts {
  readonly call: CallContext;
  readonly dynamodb: DynamoDBClient;
  readonly table: string;
}

/** One page asks for at most so many queries of 1 MB each, however much of it has expired. */
const maxQueries = 8;

export async function readKv(key: string, ports: KvPorts): Promise<string | undefined> {
  const { call, dynamodb, table } = ports;
  const { Item: item } = await dynamodb.send(
    new GetItemCommand({ TableName: table, Key: itemKey(key, call), ConsistentRead: true }),
    { abortSignal: call.signal },
  );
  return item && expiryOf(item) > Date.now() ? item['value']?.S : undefined;
}

/** @throws {Fault} `invalid_arguments` if the cursor was not given out for this tenant and prefix. */
export async function listKv(
  prefix: string,
  cursor: string | undefined,
  limit: number,
  ports: KvPorts,
): Promise<KvPage> {
  const { call, dynamodb, table } = ports;
  const start = cursor === undefined ? undefined : fromCursor(cursor, prefix, ports);
  const keys: KvPage['keys'][number][] = [];
  let from = start === undefined ? undefined : itemKey(start, call);
  for (let query = 0; query < maxQueries; query += 1) {
    const page = await dynamodb.send(
      new QueryCommand({
        TableName: table,
        KeyConditionExpression: 'tenant = :tenant AND begins_with(sk, :prefix)',
        // Deleted keys leave an item without a value for a while.
        FilterExpression: 'attribute_exists(#value)',
        ProjectionExpression: 'sk, expires_ms, expires_at',
        ExpressionAttributeNames: { '#value': 'value' },
        ExpressionAttributeValues: {
          ':tenant': { S: call.tenant },
          ':prefix': { S: kvSortKey(prefix) },
        },
        ConsistentRead: true,
        ExclusiveStartKey: from,
      }),
      { abortSignal: call.signal },
    );
    for (const item of page.Items ?? []) {
      const expiresAt = expiryOf(item);
      if (expiresAt <= Date.now()) continue;
      const key = fromSortKey(item['sk']?.S);
      const last = keys.at(-1);
      if (keys.length === limit && last) return { keys, cursor: toCursor(last.key, prefix, ports) };
      keys.push(expiresAt === Infinity ? { key } : { key, expiresAt });
    }
    const { LastEvaluatedKey: next } = page;
    if (next === undefined) return { keys };
    from = itemKey(fromSortKey(next['sk']?.S), call);
  }
  return { keys, cursor: toCursor(fromSortKey(from?.sk.S), prefix, ports) };
}

const fromSortKey = (sortKey: string | undefined): string =>
  (sortKey ?? '').slice(kvSortKey('').length);

const Cursor = z.tuple([z.string(), z.string()]);

/** Says for whom and for what it is, so that one from elsewhere is noticed. It opens nothing: the tenant is the call's. */
function toCursor(key: string, prefix: string, ports: KvPorts): string {
  return Buffer.from(JSON.stringify([purpose(prefix, ports), key])).toString('base64url');
}

function fromCursor(cursor: string, prefix: string, ports: KvPorts): string {
  const parsed = Cursor.safeParse(readJson(Buffer.from(cursor, 'base64url').toString()));
  if (parsed.success) {
    const [given, key] = parsed.data;
    if (given === purpose(prefix, ports) && key.startsWith(prefix)) return key;
  }
  throw new Fault(
    'invalid_arguments',
    'The cursor belongs to another listing. Start again without one, and keep the prefix.',
  );
}

function purpose(prefix: string, { call }: KvPorts): string {
  const text = JSON.stringify([call.tenant, prefix]);
  return createHash('sha256').update(text).digest('base64url').slice(0, 16);
}

function readJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
