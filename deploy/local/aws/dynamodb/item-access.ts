/** What a DynamoDB operation needs the right to: its action on its table, for the partitions it names. */
import type { AccessRequest } from '../policy.ts';
import type { Account } from '../account.ts';
import { isRecord, readValue, type AttributeValue } from './attribute-value.ts';
import { conditionOf } from './expressions.ts';
import { readKeyCondition } from './key-condition.ts';
import { bindPlaceholders } from './placeholders.ts';
import { keyNames, type Table, type Tables } from './tables.ts';

export interface ItemAccess {
  /** Access to the items with these keys (or whole items). */
  items(
    action: string,
    tableName: string,
    keys: readonly Readonly<Record<string, unknown>>[],
  ): AccessRequest;
  /** Access to the partition that a query names. */
  query(
    action: string,
    input: {
      readonly TableName: string;
      readonly IndexName?: string | undefined;
      readonly KeyConditionExpression: string;
      readonly ExpressionAttributeNames?: Readonly<Record<string, string>> | undefined;
      readonly ExpressionAttributeValues?: Readonly<Record<string, unknown>> | undefined;
    },
  ): AccessRequest;
}

export function itemAccess(tables: Tables, account: Account): ItemAccess {
  return {
    items(action, tableName, keys) {
      const table = tables.find(tableName);
      const hash = table?.key.hash ?? '';
      const leading = keys.map((key) => keyText(readKeyValue(key[hash])));
      return request(action, account.arn('dynamodb', resource(table, tableName)), leading);
    },
    query(action, input) {
      const table = tables.find(input.TableName);
      const index = table?.definition.GlobalSecondaryIndexes?.find(
        ({ IndexName }) => IndexName === input.IndexName,
      );
      const place = resource(table, input.TableName);
      const suffix = input.IndexName === undefined ? '' : `/index/${input.IndexName}`;
      const arn = account.arn('dynamodb', place + suffix);
      if (!table) return request(action, arn, []);
      const key = index ? keyNames(index.KeySchema) : table.key;
      const parsed = conditionOf(input.KeyConditionExpression);
      if (!parsed) return request(action, arn, []);
      // The other expressions of the query use placeholders of their own: bind only these.
      const placeholders = bindPlaceholders(pick(input, parsed), [parsed]);
      const { hash } = readKeyCondition(parsed.condition, key, placeholders);
      return request(action, arn, [keyText(hash)]);
    },
  };
}

function request(action: string, resource: string, leadingKeys: readonly string[]): AccessRequest {
  return { action, resource, context: { 'dynamodb:LeadingKeys': leadingKeys } };
}

function resource(table: Table | undefined, name: string): string {
  return `table/${table?.definition.TableName ?? name.slice(name.lastIndexOf('/') + 1)}`;
}

function readKeyValue(value: unknown): AttributeValue | undefined {
  return isRecord(value) ? readValue(value) : undefined;
}

/** A missing or odd key reads as empty text, which no policy names. */
function keyText(value: AttributeValue | undefined): string {
  if (!value) return '';
  if ('S' in value) return value.S;
  if ('N' in value) return value.N;
  return 'B' in value ? value.B : '';
}

function pick(
  input: Parameters<typeof bindPlaceholders>[0],
  uses: { readonly names: ReadonlySet<string>; readonly values: ReadonlySet<string> },
): Parameters<typeof bindPlaceholders>[0] {
  const kept = <T>(given: Readonly<Record<string, T>> | undefined, used: ReadonlySet<string>) =>
    Object.fromEntries(Object.entries(given ?? {}).filter(([name]) => used.has(name)));
  return {
    ExpressionAttributeNames: kept(input.ExpressionAttributeNames, uses.names),
    ExpressionAttributeValues: kept(input.ExpressionAttributeValues, uses.values),
  };
}
