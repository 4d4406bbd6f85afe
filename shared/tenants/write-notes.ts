/**
 * Notes of writes, one in the transaction of each, so that whoever reads them misses no change,
 * announced or not:
 *
 *     WRITES    <ms>#<random>    whose records were written then, for a day
 */
import { randomBytes } from 'node:crypto';
import {
  QueryCommand,
  type DynamoDBClient,
  type TransactWriteItem,
} from '@aws-sdk/client-dynamodb';
import { toKey } from './tenant-items.ts';

export interface WriteNote {
  /** Unique, and in the order of time. */
  readonly id: string;
  readonly tenants: readonly string[];
}

export interface WriteNotes {
  /**
   * Notes of the writes since then, by their writers' clocks, oldest first; at most a thousand,
   * and `isWhole: false` if there are more.
   */
  readWrites(sinceMs: number): Promise<{
    readonly notes: readonly WriteNote[];
    readonly isWhole: boolean;
  }>;
}

const partition = 'WRITES';
const noteLifeSeconds = 86_400;
const mostNotes = 1_000;

export function createWriteNotes(ports: {
  readonly dynamo: DynamoDBClient;
  readonly table: string;
}): WriteNotes {
  return {
    async readWrites(sinceMs) {
      const { Items = [], LastEvaluatedKey } = await ports.dynamo.send(
        new QueryCommand({
          TableName: ports.table,
          ConsistentRead: true,
          KeyConditionExpression: 'pk = :pk AND sk >= :since',
          ExpressionAttributeValues: {
            ':pk': { S: partition },
            ':since': { S: toSortKey(sinceMs) },
          },
          Limit: mostNotes,
        }),
      );
      const notes = Items.map(({ sk, tenants }) => ({
        id: sk?.S ?? '',
        tenants: (tenants?.L ?? []).map(({ S = '' }) => S),
      }));
      return { notes, isWhole: LastEvaluatedKey === undefined };
    },
  };
}

/** Belongs into the transaction that writes these tenants' records. */
export function noteWrite(table: string, tenants: Iterable<string>): TransactWriteItem {
  const now = Date.now();
  const Item = {
    ...toKey(partition, `${toSortKey(now)}#${randomBytes(6).toString('base64url')}`),
    tenants: { L: [...new Set(tenants)].map((S) => ({ S })) },
    expires_at: { N: String(Math.floor(now / 1_000) + noteLifeSeconds) },
  };
  return { Put: { TableName: table, Item } };
}

/** Digits of equal number, so that their order is that of time. */
const toSortKey = (ms: number): string => String(Math.max(0, Math.floor(ms))).padStart(15, '0');
