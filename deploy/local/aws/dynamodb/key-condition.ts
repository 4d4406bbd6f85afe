/** The KeyConditionExpression of a query: one partition, and at most one condition on the sort key. */
import { invalid } from '../aws-error.ts';
import { emptyItem, type AttributeValue, type Item } from './attribute-value.ts';
import { holds } from './conditions.ts';
import type { Condition, Operand } from './expression-parser.ts';
import type { Placeholders } from './placeholders.ts';
import type { KeyNames } from './tables.ts';

export interface KeyCondition {
  readonly hash: AttributeValue;
  /** Whether an item of the partition is asked for. */
  readonly matches: (item: Item) => boolean;
}

/** @throws {AwsError} for anything that is no condition on the given key. */
export function readKeyCondition(
  condition: Condition,
  key: KeyNames,
  placeholders: Placeholders,
): KeyCondition {
  const parts = condition.kind === 'and' ? [condition.left, condition.right] : [condition];
  const hashParts = parts.filter((part) => subjectOf(part, placeholders) === key.hash);
  const [hashPart, ...moreHash] = hashParts;
  if (!hashPart || moreHash.length > 0) {
    throw invalid(`Query condition missed key schema element: ${key.hash}`);
  }
  if (hashPart.kind !== 'compare' || hashPart.by !== '=' || hashPart.right.kind !== 'value') {
    throw invalid('Query key condition not supported');
  }
  const rangePart = parts.find((part) => part !== hashPart);
  if (rangePart) checkRangePart(rangePart, key, placeholders);
  return {
    hash: placeholders.value(hashPart.right.placeholder),
    matches: (item) => !rangePart || holds(rangePart, item, placeholders),
  };
}

function checkRangePart(part: Condition, key: KeyNames, placeholders: Placeholders): void {
  if (key.range === undefined || subjectOf(part, placeholders) !== key.range) {
    throw invalid(`Query condition missed key schema element: ${key.range ?? key.hash}`);
  }
  const supported =
    part.kind === 'between' ||
    (part.kind === 'compare' && part.by !== '<>') ||
    (part.kind === 'test' && part.name === 'begins_with');
  if (!supported) throw invalid('Query key condition not supported');
  // Refuses a prefix of the wrong type even if the partition is empty.
  holds(part, emptyItem(), placeholders);
}

function subjectOf(condition: Condition, placeholders: Placeholders): string | undefined {
  switch (condition.kind) {
    case 'compare':
      return topLevelName(condition.left, placeholders);
    case 'between':
    case 'in':
      return topLevelName(condition.subject, placeholders);
    case 'test':
      return topLevelName(condition.operands[0], placeholders);
    case 'and':
    case 'or':
    case 'not':
      return undefined;
  }
}

function topLevelName(
  operand: Operand | undefined,
  placeholders: Placeholders,
): string | undefined {
  if (operand?.kind !== 'path') return undefined;
  const [name, ...rest] = placeholders.path(operand.path);
  return rest.length === 0 && typeof name === 'string' ? name : undefined;
}
