/** Query and Scan: a page of items in order, filtered, projected or only counted. */
import type { z } from 'zod';
import { invalid } from '../aws-error.ts';
import { compareUtf8, lowerBound } from '../utf8-order.ts';
import { emptyItem, itemSize, readItem, type Item } from './attribute-value.ts';
import { holds } from './conditions.ts';
import { project } from './document-path.ts';
import { boundPaths, conditionOf, projectionOf } from './expressions.ts';
import { readKeyCondition } from './key-condition.ts';
import { bindPlaceholders } from './placeholders.ts';
import type { Query, Scan } from './request-schemas.ts';
import {
  checkKeyAttributes,
  itemId,
  keyNames,
  orderOf,
  partitionOf,
  type IndexDefinition,
  type KeyNames,
  type Table,
  type Tables,
} from './tables.ts';

type QueryInput = z.output<typeof Query>;
type ScanInput = z.output<typeof Scan>;
type Listing = Omit<QueryInput, 'KeyConditionExpression' | 'ScanIndexForward'>;

/** Items are read until this many bytes, whatever the filter leaves of them. */
const maxPageBytes = 1_048_576;

export function query(tables: Tables, input: QueryInput): object {
  const table = tables.get(input.TableName);
  const index = indexOf(table, input.IndexName);
  const key = index ? keyNames(index.KeySchema) : table.key;
  const keyCondition = conditionOf(input.KeyConditionExpression);
  const filter = conditionOf(input.FilterExpression);
  const projection = projectionOf(input.ProjectionExpression);
  const placeholders = bindPlaceholders(input, [keyCondition, filter, projection]);
  if (!keyCondition) throw invalid('KeyConditionExpression is missing');
  const { hash, matches } = readKeyCondition(keyCondition.condition, key, placeholders);
  const partition = partitionOf({ ...table, key }, { [key.hash]: hash });
  const rows = index
    ? rowsOfIndex(table, key).filter((item) => partitionOf({ ...table, key }, item) === partition)
    : (table.partitions.get(partition) ?? []);

  const forward = input.ScanIndexForward ?? true;
  const start = startPosition(table, key, rows, input.ExclusiveStartKey, forward);
  return pageOf(table, key, index, input, {
    rows: inOrder(rows, start, forward, matches),
    keeps: (item) => !filter || holds(filter.condition, item, placeholders),
    paths: boundPaths(projection, placeholders),
  });
}

export function scan(tables: Tables, input: ScanInput): object {
  const table = tables.get(input.TableName);
  const index = indexOf(table, input.IndexName);
  const key = index ? keyNames(index.KeySchema) : table.key;
  const filter = conditionOf(input.FilterExpression);
  const projection = projectionOf(input.ProjectionExpression);
  const placeholders = bindPlaceholders(input, [filter, projection]);
  const { Segment: segment = 0, TotalSegments: segments = 1 } = input;
  if (segment >= segments) throw invalid('Segment must be less than TotalSegments');
  const rows = partitionsInOrder(table).flatMap(([name, items]) =>
    segmentOf(name, segments) === segment ? items : [],
  );
  return pageOf(table, key, index, input, {
    rows: rows.slice(positionAfter(table, rows, input.ExclusiveStartKey)),
    keeps: (item) =>
      item[key.hash] !== undefined && (!filter || holds(filter.condition, item, placeholders)),
    paths: boundPaths(projection, placeholders),
  });
}

function pageOf(
  table: Table,
  key: KeyNames,
  index: z.output<typeof IndexDefinition> | undefined,
  input: Listing,
  source: {
    readonly rows: Iterable<Item>;
    readonly keeps: (item: Item) => boolean;
    readonly paths: Parameters<typeof project>[1] | undefined;
  },
): object {
  const kept: Item[] = [];
  const limit = input.Limit ?? Number.POSITIVE_INFINITY;
  let read = 0;
  let bytes = 0;
  let last: Item | undefined;
  let more = false;
  for (const item of source.rows) {
    if (read >= limit || bytes >= maxPageBytes) {
      more = true;
      break;
    }
    last = item;
    read += 1;
    bytes += itemSize(item);
    if (source.keeps(item)) kept.push(item);
  }
  // A page that the limit ends names its last key even if nothing follows, as the service does.
  const continues = last !== undefined && (more || read >= limit);
  const names = [table.key.hash, table.key.range, key.hash, key.range];
  return {
    Count: kept.length,
    ScannedCount: read,
    ...(input.Select === 'COUNT'
      ? {}
      : { Items: kept.map((item) => visible(item, names, index, source.paths)) }),
    ...(continues && last ? { LastEvaluatedKey: only(last, names) } : {}),
  };
}

function visible(
  item: Item,
  keys: readonly (string | undefined)[],
  index: z.output<typeof IndexDefinition> | undefined,
  paths: Parameters<typeof project>[1] | undefined,
): Item {
  const { ProjectionType, NonKeyAttributes = [] } = index?.Projection ?? { ProjectionType: 'ALL' };
  const all = ProjectionType === 'ALL' ? item : only(item, [...keys, ...NonKeyAttributes]);
  return paths ? project(all, paths) : all;
}

function only(item: Item, names: readonly (string | undefined)[]): Item {
  const kept = emptyItem();
  for (const name of names) {
    const value = name === undefined ? undefined : item[name];
    if (name !== undefined && value) kept[name] = value;
  }
  return kept;
}

function* inOrder(
  rows: readonly Item[],
  start: number,
  forward: boolean,
  matches: (item: Item) => boolean,
): Generator<Item> {
  const step = forward ? 1 : -1;
  let began = false;
  for (let at = start; at >= 0 && at < rows.length; at += step) {
    const item = rows[at];
    if (item && matches(item)) {
      began = true;
      yield item;
    } else if (began) {
      // What a condition on the sort key selects lies together.
      return;
    }
  }
}

function startPosition(
  table: Table,
  key: KeyNames,
  rows: readonly Item[],
  startKey: Readonly<Record<string, unknown>> | undefined,
  forward: boolean,
): number {
  if (!startKey) return forward ? 0 : rows.length - 1;
  const after = readItem(startKey);
  checkKeyAttributes(table, after, 'The provided starting key is invalid');
  const compare = orderWithin(table, key);
  const order = (item: Item) => compare(item, after);
  const at = lowerBound(rows, order);
  const found = rows[at];
  if (!forward) return at - 1;
  return found && order(found) === 0 ? at + 1 : at;
}

/** Items that have the index's key, in its order. */
function rowsOfIndex(table: Table, key: KeyNames): Item[] {
  const rows = [...table.items.values()].filter(
    (item) => item[key.hash] && (key.range === undefined || item[key.range]),
  );
  return rows.sort(orderWithin(table, key));
}

/** Items of an index may share its whole key; their own then decides. */
function orderWithin(table: Table, key: KeyNames): (a: Item, b: Item) => number {
  if (key === table.key) return (a, b) => orderOf(key, a, b);
  return (a, b) => orderOf(key, a, b) || compareUtf8(itemId(table, a), itemId(table, b));
}

/** The order of a scan, which later pages find again whatever has gone in between. */
function partitionsInOrder(table: Table): readonly [string, Item[]][] {
  return [...table.partitions].sort(([a], [b]) => compareUtf8(a, b));
}

function positionAfter(
  table: Table,
  rows: readonly Item[],
  startKey: Readonly<Record<string, unknown>> | undefined,
): number {
  if (!startKey) return 0;
  const after = readItem(startKey);
  checkKeyAttributes(table, after, 'The provided starting key is invalid');
  const partition = partitionOf(table, after);
  return lowerBound(rows, (item) => {
    const order = compareUtf8(partitionOf(table, item), partition);
    if (order !== 0) return order;
    return orderOf(table.key, item, after) > 0 ? 1 : -1;
  });
}

function segmentOf(partition: string, segments: number): number {
  let hash = 0;
  for (let index = 0; index < partition.length; index += 1) {
    hash = (Math.imul(hash, 31) + partition.charCodeAt(index)) >>> 0;
  }
  return hash % segments;
}

function indexOf(table: Table, name: string | undefined) {
  if (name === undefined) return undefined;
  const index = table.definition.GlobalSecondaryIndexes?.find(
    ({ IndexName }) => IndexName === name,
  );
  if (!index) throw invalid(`The table does not have the specified index: ${name}`);
  return index;
}
