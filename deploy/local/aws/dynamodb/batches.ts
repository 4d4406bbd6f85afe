/** DynamoDB operations on several items: batches, which apply one by one, and transactions, which apply whole or not at all. */
import { createHash } from 'node:crypto';
import { z } from 'zod';
import { AwsError, invalid } from '../aws-error.ts';
import type { Journal } from '../journal.ts';
import { readItem, type Item } from './attribute-value.ts';
import { project } from './document-path.ts';
import { boundPaths, projectionOf } from './expressions.ts';
import { bindPlaceholders } from './placeholders.ts';
import type {
  BatchGetItem,
  BatchWriteItem,
  TransactGetItems,
  TransactWriteItems,
} from './request-schemas.ts';
import { checkKey, itemId, type Tables } from './tables.ts';
import { planWrite, type Plan, type Write } from './writes.ts';

export interface Read {
  readonly TableName: string;
  readonly Key: Readonly<Record<string, unknown>>;
  readonly ProjectionExpression?: string | undefined;
  readonly ExpressionAttributeNames?: Readonly<Record<string, string>> | undefined;
}

/** @throws {AwsError} for a bad key or projection. */
export function readOne(tables: Tables, read: Read): { Item?: Item } {
  const table = tables.get(read.TableName);
  const key = readItem(read.Key);
  checkKey(table, key);
  const projection = projectionOf(read.ProjectionExpression);
  const paths = boundPaths(projection, bindPlaceholders(read, [projection]));
  const item = table.items.get(itemId(table, key));
  if (!item) return {};
  return { Item: paths ? project(item, paths) : item };
}

const maxBatchReads = 100;
const maxBatchWrites = 25;

export function batchGetItem(tables: Tables, input: z.output<typeof BatchGetItem>): object {
  const reads = Object.entries(input.RequestItems).flatMap(([TableName, { Keys, ...terms }]) =>
    Keys.map((Key) => ({ TableName, Key, ...terms })),
  );
  if (reads.length > maxBatchReads) {
    throw invalid('Too many items requested for the BatchGetItem call');
  }
  refuseRepeats(reads.map(({ TableName, Key }) => JSON.stringify([TableName, readItem(Key)])));
  const Responses: Record<string, Item[]> = {};
  for (const read of reads) {
    const found = (Responses[read.TableName] ??= []);
    const { Item } = readOne(tables, read);
    if (Item) found.push(Item);
  }
  return { Responses, UnprocessedKeys: {} };
}

export function batchWriteItem(tables: Tables, input: z.output<typeof BatchWriteItem>): object {
  const writes = Object.entries(input.RequestItems).flatMap(([TableName, requests]) =>
    requests.map((request): Write =>
      'PutRequest' in request
        ? { kind: 'put', TableName, Item: request.PutRequest.Item }
        : { kind: 'delete', TableName, Key: request.DeleteRequest.Key },
    ),
  );
  if (writes.length === 0 || writes.length > maxBatchWrites) {
    throw invalid('Too many items requested for the BatchWriteItem call');
  }
  const plans = writes.map((write) => planWrite(tables, write));
  refuseRepeats(plans.map(({ id }) => id));
  for (const plan of plans) plan.apply();
  return { UnprocessedItems: {} };
}

function refuseRepeats(ids: readonly string[]): void {
  if (new Set(ids).size < ids.length) {
    throw invalid('Provided list of item keys contains duplicates');
  }
}

export function transactGetItems(tables: Tables, input: z.output<typeof TransactGetItems>): object {
  return { Responses: input.TransactItems.map(({ Get }) => readOne(tables, Get)) };
}

export type TransactWrite = (input: z.output<typeof TransactWriteItems>) => object;

/** Milliseconds for which a client request token makes a transaction idempotent. */
const tokenLifeMs = 600_000;
const Token = z.object({ digest: z.string(), at: z.number() });

export function transactWriter(journal: Journal, tables: Tables): TransactWrite {
  const tokens = journal.collection('dynamodb/tokens', (stored) => Token.parse(stored));
  return ({ TransactItems, ClientRequestToken }) => {
    const digest = createHash('sha256').update(JSON.stringify(TransactItems)).digest('base64');
    forgetOldTokens();
    const earlier = ClientRequestToken === undefined ? undefined : tokens.get(ClientRequestToken);
    if (earlier?.digest === digest) return {};
    if (earlier) {
      throw new AwsError(
        'IdempotentParameterMismatchException',
        'The request uses the same client token as a previous, but non-identical request.',
      );
    }
    const plans = TransactItems.map((item) => planWrite(tables, toWrite(item)));
    if (new Set(plans.map(({ id }) => id)).size < plans.length) {
      throw invalid('Transaction request cannot include multiple operations on one item');
    }
    if (plans.some(({ allowed }) => !allowed)) throw cancelled(plans);
    journal.atomically(() => {
      for (const plan of plans) plan.apply();
      if (ClientRequestToken !== undefined) {
        tokens.set(ClientRequestToken, { digest, at: Date.now() });
      }
    });
    return {};
  };

  /** Tokens stand in the order of their age. */
  function forgetOldTokens(): void {
    const oldest = Date.now() - tokenLifeMs;
    for (const [token, { at }] of tokens.entries()) {
      if (at > oldest) return;
      tokens.delete(token);
    }
  }
}

type TransactItem = z.output<typeof TransactWriteItems>['TransactItems'][number];

export function toWrite(item: TransactItem): Write {
  if ('Put' in item) return { kind: 'put', ...item.Put };
  if ('Update' in item) return { kind: 'update', ...item.Update };
  if ('Delete' in item) return { kind: 'delete', ...item.Delete };
  return { kind: 'check', ...item.ConditionCheck };
}

function cancelled(plans: readonly Plan[]): AwsError {
  const CancellationReasons = plans.map(({ allowed, shown }) =>
    allowed
      ? { Code: 'None' }
      : {
          Code: 'ConditionalCheckFailed',
          Message: 'The conditional request failed',
          ...(shown ? { Item: shown } : {}),
        },
  );
  const codes = CancellationReasons.map(({ Code }) => Code).join(', ');
  return new AwsError(
    'TransactionCanceledException',
    `Transaction cancelled, please refer cancellation reasons for specific reasons [${codes}]`,
    400,
    { CancellationReasons },
  );
}
