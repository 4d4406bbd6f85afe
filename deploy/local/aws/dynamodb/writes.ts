/**
 * Writing items: every write is first planned (checked and computed, changing nothing), then
 * applied. A transaction plans all of its writes before it applies any.
 */
import type { z } from 'zod';
import { AwsError, invalid } from '../aws-error.ts';
import { emptyItem, itemSize, readItem, type Item } from './attribute-value.ts';
import { holds } from './conditions.ts';
import { project } from './document-path.ts';
import type { Path } from './expression-parser.ts';
import { conditionOf, updateOf } from './expressions.ts';
import { applyUpdate } from './updates.ts';
import { bindPlaceholders } from './placeholders.ts';
import type { DeleteItem, PutItem, UpdateItem } from './request-schemas.ts';
import {
  checkKey,
  checkKeyAttributes,
  itemId,
  removeItem,
  storeItem,
  type Table,
  type Tables,
} from './tables.ts';

/** One write, whatever operation it came by. */
export type Write =
  | ({ readonly kind: 'put'; readonly Item: Readonly<Record<string, unknown>> } & WriteTerms)
  | ({
      readonly kind: 'delete' | 'check';
      readonly Key: Readonly<Record<string, unknown>>;
    } & WriteTerms)
  | ({
      readonly kind: 'update';
      readonly Key: Readonly<Record<string, unknown>>;
      readonly UpdateExpression?: string | undefined;
    } & WriteTerms);

interface WriteTerms {
  readonly TableName: string;
  readonly ConditionExpression?: string | undefined;
  readonly ReturnValuesOnConditionCheckFailure?: 'NONE' | 'ALL_OLD' | undefined;
  readonly ExpressionAttributeNames?: Readonly<Record<string, string>> | undefined;
  readonly ExpressionAttributeValues?: Readonly<Record<string, unknown>> | undefined;
}

export interface Plan {
  /** Identifies the item over all tables. */
  readonly id: string;
  readonly old: Item | undefined;
  readonly next: Item | undefined;
  /** Whether the condition holds. */
  readonly allowed: boolean;
  /** What an update expression names. */
  readonly paths: readonly Path[];
  /** Shown with a failed condition if it was asked for. */
  readonly shown: Item | undefined;
  apply(): void;
}

const maxItemBytes = 409_600;

/** @throws {AwsError} for anything but a condition that does not hold. */
export function planWrite(tables: Tables, write: Write): Plan {
  const table = tables.get(write.TableName);
  const key = readItem(write.kind === 'put' ? write.Item : write.Key);
  if (write.kind === 'put') checkKeyAttributes(table, key);
  else checkKey(table, key);
  const id = itemId(table, key);
  const old = table.items.get(id);

  const condition = conditionOf(write.ConditionExpression);
  const update = write.kind === 'update' ? updateOf(write.UpdateExpression) : undefined;
  const placeholders = bindPlaceholders(write, [condition, update]);
  const allowed = !condition || holds(condition.condition, old ?? emptyItem(), placeholders);

  let next: Item | undefined;
  let paths: readonly Path[] = [];
  if (!allowed || write.kind === 'check') next = old;
  else if (write.kind === 'put') next = key;
  else if (write.kind === 'update') {
    const keyAttributes = Object.keys(key);
    const updated = update && applyUpdate(update, old ?? key, keyAttributes, placeholders);
    next = updated?.item ?? old ?? key;
    paths = updated?.paths ?? [];
  }
  if (next && next !== old) checkSize(next, write.kind);
  return {
    id: `${table.definition.TableName}/${id}`,
    old,
    next,
    allowed,
    paths,
    shown: write.ReturnValuesOnConditionCheckFailure === 'ALL_OLD' ? old : undefined,
    apply: () => apply(table, old, next),
  };
}

function checkSize(item: Item, kind: Write['kind']): void {
  if (itemSize(item) <= maxItemBytes) return;
  throw invalid(
    kind === 'update'
      ? 'Item size to update has exceeded the maximum allowed size'
      : 'Item size has exceeded the maximum allowed size',
  );
}

function apply(table: Table, old: Item | undefined, next: Item | undefined): void {
  if (next === old) return;
  if (next) storeItem(table, next);
  else if (old) removeItem(table, old);
}

export function putItem(tables: Tables, input: z.output<typeof PutItem>): object {
  const plan = applied(planWrite(tables, { kind: 'put', ...input }));
  return input.ReturnValues === 'ALL_OLD' ? attributes(plan.old) : {};
}

export function deleteItem(tables: Tables, input: z.output<typeof DeleteItem>): object {
  const plan = applied(planWrite(tables, { kind: 'delete', ...input }));
  return input.ReturnValues === 'ALL_OLD' ? attributes(plan.old) : {};
}

export function updateItem(tables: Tables, input: z.output<typeof UpdateItem>): object {
  const { old, next, paths } = applied(planWrite(tables, { kind: 'update', ...input }));
  switch (input.ReturnValues) {
    case 'ALL_OLD':
      return attributes(old);
    case 'ALL_NEW':
      return attributes(next);
    case 'UPDATED_OLD':
      return attributes(old && project(old, paths));
    case 'UPDATED_NEW':
      return attributes(next && project(next, paths));
    case 'NONE':
    case undefined:
      return {};
  }
}

/** @throws {AwsError} ConditionalCheckFailedException */
function applied(plan: Plan): Plan {
  if (!plan.allowed) {
    throw new AwsError(
      'ConditionalCheckFailedException',
      'The conditional request failed',
      400,
      plan.shown ? { Item: plan.shown } : {},
    );
  }
  plan.apply();
  return plan;
}

function attributes(item: Item | undefined): object {
  return item && Object.keys(item).length > 0 ? { Attributes: item } : {};
}
