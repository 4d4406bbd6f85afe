/**
 * Tables and the items in them: definitions, key checks, and the items of each partition in the
 * order of their sort key.
 */
import { z } from 'zod';
import { AwsError, invalid } from '../aws-error.ts';
import type { Collection, Journal } from '../journal.ts';
import { lowerBound } from '../utf8-order.ts';
import {
  compareValues,
  readItem,
  typeOf,
  type AttributeValue,
  type Item,
} from './attribute-value.ts';

export const KeySchema = z
  .array(z.strictObject({ AttributeName: z.string(), KeyType: z.enum(['HASH', 'RANGE']) }))
  .min(1)
  .max(2);

export const IndexDefinition = z.strictObject({
  IndexName: z.string(),
  KeySchema,
  Projection: z.strictObject({
    ProjectionType: z.enum(['ALL', 'KEYS_ONLY', 'INCLUDE']),
    NonKeyAttributes: z.array(z.string()).optional(),
  }),
  ProvisionedThroughput: z.unknown().optional(),
});

export const TableDefinition = z.object({
  TableName: z.string().regex(/^[\w.-]{3,255}$/),
  KeySchema,
  AttributeDefinitions: z.array(
    z.strictObject({ AttributeName: z.string(), AttributeType: z.enum(['S', 'N', 'B']) }),
  ),
  BillingMode: z.enum(['PROVISIONED', 'PAY_PER_REQUEST']).default('PROVISIONED'),
  GlobalSecondaryIndexes: z.array(IndexDefinition).optional(),
});

const StoredTable = TableDefinition.extend({
  /** Epoch seconds. */
  createdAt: z.number(),
  id: z.string(),
  ttlAttribute: z.string().optional(),
});
type StoredTable = z.output<typeof StoredTable>;

/** Names of the attributes that make a key. */
export interface KeyNames {
  readonly hash: string;
  readonly range: string | undefined;
}

export interface Table {
  readonly definition: StoredTable;
  readonly key: KeyNames;
  readonly items: Collection<Item>;
  /** Items by partition, in the order of their sort key. */
  readonly partitions: Map<string, Item[]>;
}

export interface Tables {
  /** Accepts a name or an ARN. @throws {AwsError} ResourceNotFoundException */
  get(name: string): Table;
  find(name: string): Table | undefined;
  all(): Iterable<Table>;
  create(definition: z.output<typeof TableDefinition>): Table;
  setTtlAttribute(table: Table, attribute: string | undefined): void;
}

export function createTables(journal: Journal): Tables {
  const stored = journal.collection('dynamodb/tables', (value) => StoredTable.parse(value));
  const tables = new Map<string, Table>();
  for (const definition of stored.values()) open(definition);

  const find = (name: string) => tables.get(name.slice(name.lastIndexOf('/') + 1));
  return {
    find,
    get(name) {
      const table = find(name);
      if (table) return table;
      throw new AwsError(
        'ResourceNotFoundException',
        `Requested resource not found: Table: ${name} not found`,
      );
    },
    all: () => tables.values(),
    create(definition) {
      if (tables.has(definition.TableName)) {
        throw new AwsError(
          'ResourceInUseException',
          `Table already exists: ${definition.TableName}`,
        );
      }
      return save({ ...definition, createdAt: Date.now() / 1_000, id: crypto.randomUUID() });
    },
    setTtlAttribute(table, ttlAttribute) {
      const definition = { ...table.definition, ttlAttribute };
      stored.set(definition.TableName, definition);
      tables.set(definition.TableName, { ...table, definition });
    },
  };

  function save(definition: StoredTable): Table {
    stored.set(definition.TableName, definition);
    return open(definition);
  }

  function open(definition: StoredTable): Table {
    const items = journal.collection(`dynamodb/items/${definition.TableName}`, (value) =>
      readItem(value),
    );
    const table: Table = {
      definition,
      key: keyNames(definition.KeySchema),
      items,
      partitions: new Map(),
    };
    for (const item of items.values()) placeItem(table, item);
    tables.set(definition.TableName, table);
    return table;
  }
}

export function keyNames(schema: z.output<typeof KeySchema>): KeyNames {
  const nameOf = (type: string) => schema.find(({ KeyType }) => KeyType === type)?.AttributeName;
  const hash = nameOf('HASH');
  if (hash === undefined) throw invalid('Invalid KeySchema: no HASH key');
  return { hash, range: nameOf('RANGE') };
}

export function storeItem(table: Table, item: Item): void {
  table.items.set(itemId(table, item), item);
  placeItem(table, item);
}

export function removeItem(table: Table, item: Item): void {
  table.items.delete(itemId(table, item));
  const name = partitionOf(table, item);
  const rows = table.partitions.get(name);
  if (!rows) return;
  const index = rowIndex(table, rows, item);
  rows.splice(index, 1);
  if (rows.length === 0) table.partitions.delete(name);
}

function placeItem(table: Table, item: Item): void {
  const name = partitionOf(table, item);
  let rows = table.partitions.get(name);
  if (!rows) table.partitions.set(name, (rows = []));
  const index = rowIndex(table, rows, item);
  const there = rows[index];
  const replaces = there !== undefined && orderOf(table.key, there, item) === 0;
  rows.splice(index, replaces ? 1 : 0, item);
}

function rowIndex({ key }: Table, rows: readonly Item[], item: Item): number {
  return lowerBound(rows, (row) => orderOf(key, row, item));
}

/** Order by sort key; items of a key without one are the same item. */
export function orderOf({ range }: KeyNames, a: Item, b: Item): number {
  const left = range === undefined ? undefined : a[range];
  const right = range === undefined ? undefined : b[range];
  return left && right ? (compareValues(left, right) ?? 0) : 0;
}

export function partitionOf({ key }: Table, item: Item): string {
  return keyText(item[key.hash]);
}

/** Identifies an item within its table. */
export function itemId({ key }: Table, item: Item): string {
  const hash = keyText(item[key.hash]);
  return key.range === undefined ? hash : `${hash.length} ${hash} ${keyText(item[key.range])}`;
}

function keyText(value: AttributeValue | undefined): string {
  if (value) {
    if ('S' in value) return `S${value.S}`;
    if ('N' in value) return `N${value.N}`;
    if ('B' in value) return `B${value.B}`;
  }
  throw invalid('The provided key element does not match the schema');
}

const maxHashBytes = 2_048;
const maxRangeBytes = 1_024;

/** @throws {AwsError} unless `key` has exactly the attributes of the table's key, of their types. */
export function checkKey(table: Table, key: Item): void {
  const { range } = table.key;
  if (Object.keys(key).length !== (range === undefined ? 1 : 2)) {
    throw invalid('The provided key element does not match the schema');
  }
  checkKeyAttributes(table, key, 'The provided key element does not match the schema');
}

/** @throws {AwsError} unless `item` holds the table's key. `reason` is for a missing attribute or wrong type. */
export function checkKeyAttributes(table: Table, item: Item, reason?: string): void {
  const { hash, range } = table.key;
  for (const name of range === undefined ? [hash] : [hash, range]) {
    const value = item[name];
    const type = attributeType(table, name);
    if (!value) {
      throw invalid(
        reason ?? `One or more parameter values were invalid: Missing the key ${name} in the item`,
      );
    }
    if (typeOf(value) !== type) {
      throw invalid(
        reason ??
          `One or more parameter values were invalid: Type mismatch for key ${name} expected: ${type} actual: ${typeOf(value)}`,
      );
    }
    const bytes = Buffer.byteLength(keyText(value)) - 1;
    if (bytes === 0) {
      throw invalid(
        `One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an empty string value. Key: ${name}`,
      );
    }
    if (bytes > (name === hash ? maxHashBytes : maxRangeBytes)) {
      throw invalid(
        `One or more parameter values were invalid: Size of ${name === hash ? 'hashkey' : 'rangekey'} has exceeded the maximum size limit of ${name === hash ? maxHashBytes : maxRangeBytes} bytes`,
      );
    }
  }
}

function attributeType({ definition }: Table, name: string): string | undefined {
  return definition.AttributeDefinitions.find(({ AttributeName }) => AttributeName === name)
    ?.AttributeType;
}
