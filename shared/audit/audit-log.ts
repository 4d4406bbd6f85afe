/**
 * The audit as it is kept in DynamoDB, for one tenant in pages:
 *
 *     AUDIT#<tenant>    HEAD            the end of the chain
 *     AUDIT#<tenant>    000000000001    entries from that number on, as JSON
 *
 * A page and the new head are written in one transaction on the condition that the head is still
 * the one the page was tied to: whoever appends, the chain has one end. Pages expire; a page says
 * until when the one before it is kept, so that a chain whose start has expired is still whole.
 */
import {
  GetItemCommand,
  paginateQuery,
  TransactionCanceledException,
  TransactWriteItemsCommand,
  type AttributeValue,
  type DynamoDBClient,
} from '@aws-sdk/client-dynamodb';
import type { TenantId } from '../ids.ts';
import type { AuditEntry, ChainEnd } from './entry.ts';

export interface AuditHead extends ChainEnd {
  /** Id in the outbox of the item that was chained last. */
  readonly lastItem: string;
}

export interface AuditPage {
  readonly firstSeq: number;
  /** JSON of each entry, as it is stored. */
  readonly entries: readonly string[];
}

/** Rejects with the SDK's own exceptions. */
export interface AuditLog {
  readHead(tenant: TenantId): Promise<AuditHead | undefined>;
  /** @throws {ChainMoved} if `previous` is not the head any more. */
  append(
    tenant: TenantId,
    page: { readonly entries: readonly AuditEntry[]; readonly head: AuditHead },
    previous: AuditHead | undefined,
  ): Promise<void>;
  /** In order, from the page that starts at `fromSeq` or later; backwards if so asked. */
  pages(
    tenant: TenantId,
    options?: {
      readonly fromSeq?: number;
      /** No page that starts after it. */
      readonly toSeq?: number | undefined;
      readonly newestFirst?: boolean;
    },
  ): AsyncIterable<AuditPage>;
}

export class ChainMoved extends Error {
  override readonly name = 'ChainMoved';
}

const seqDigits = 12;
const headKey = 'HEAD';

export function createAuditLog(ports: {
  readonly dynamo: DynamoDBClient;
  readonly table: string;
}): AuditLog {
  const { dynamo, table: TableName } = ports;
  return {
    async readHead(tenant) {
      const Key = toKey(tenant, headKey);
      const { Item } = await dynamo.send(
        new GetItemCommand({ TableName, Key, ConsistentRead: true }),
      );
      return Item && toHead(Item);
    },

    async append(tenant, { entries, head }, previous) {
      const page = {
        ...toKey(tenant, toSortKey(entries[0]?.seq ?? 0)),
        entries: { L: entries.map((entry) => ({ S: JSON.stringify(entry) })) },
        expires_at: { N: String(head.keptUntil) },
      };
      const write = new TransactWriteItemsCommand({
        TransactItems: [
          { Put: { TableName, Item: page, ConditionExpression: 'attribute_not_exists(pk)' } },
          {
            Put: {
              TableName,
              Item: fromHead(tenant, head),
              ...(previous === undefined
                ? { ConditionExpression: 'attribute_not_exists(pk)' }
                : {
                    ConditionExpression: '#hash = :previous',
                    ExpressionAttributeNames: { '#hash': 'hash' },
                    ExpressionAttributeValues: { ':previous': { S: previous.hash } },
                  }),
            },
          },
        ],
      });
      try {
        await dynamo.send(write);
      } catch (cause) {
        if (!(cause instanceof TransactionCanceledException)) throw cause;
        throw new ChainMoved(`The audit of ${tenant} has another end by now`, { cause });
      }
    },

    async *pages(tenant, { fromSeq = 0, toSeq, newestFirst = false } = {}) {
      const pages = paginateQuery(
        { client: dynamo },
        {
          TableName,
          ConsistentRead: true,
          ScanIndexForward: !newestFirst,
          KeyConditionExpression: 'pk = :pk AND sk BETWEEN :from AND :to',
          ExpressionAttributeValues: {
            ':pk': { S: toPartition(tenant) },
            ':from': { S: toSortKey(fromSeq) },
            ':to': { S: toSeq === undefined ? '9'.repeat(seqDigits) : toSortKey(toSeq) },
          },
        },
      );
      for await (const { Items = [] } of pages) yield* Items.map(toPage);
    },
  };
}

const toPartition = (tenant: TenantId): string => `AUDIT#${tenant}`;
const toSortKey = (seq: number): string => String(seq).padStart(seqDigits, '0');

function toKey(tenant: TenantId, sk: string): Record<string, AttributeValue> {
  return { pk: { S: toPartition(tenant) }, sk: { S: sk } };
}

function fromHead(tenant: TenantId, head: AuditHead): Record<string, AttributeValue> {
  return {
    ...toKey(tenant, headKey),
    seq: { N: String(head.seq) },
    hash: { S: head.hash },
    kept_until: { N: String(head.keptUntil) },
    last_item: { S: head.lastItem },
  };
}

function toHead(item: Record<string, AttributeValue>): AuditHead {
  return {
    seq: Number(item['seq']?.N),
    hash: item['hash']?.S ?? '',
    keptUntil: Number(item['kept_until']?.N),
    lastItem: item['last_item']?.S ?? '',
  };
}

function toPage(item: Record<string, AttributeValue>): AuditPage {
  return {
    firstSeq: Number(item['sk']?.S),
    entries: item['entries']?.L?.map(({ S = '' }) => S) ?? [],
  };
}
