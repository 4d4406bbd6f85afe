/** Evaluates the conditions of DynamoDB expressions against one item. */
import { invalid } from '../aws-error.ts';
import {
  compareValues,
  equalValues,
  typeOf,
  type AttributeValue,
  type Item,
} from './attribute-value.ts';
import { valueAt } from './document-path.ts';
import { type Comparator, type Condition, type Operand } from './expression-parser.ts';
import type { Placeholders } from './placeholders.ts';

/** A missing item is one without attributes. */
export function holds(condition: Condition, item: Item, placeholders: Placeholders): boolean {
  const value = (operand: Operand) => operandValue(operand, item, placeholders);
  switch (condition.kind) {
    case 'and':
      return (
        holds(condition.left, item, placeholders) && holds(condition.right, item, placeholders)
      );
    case 'or':
      return (
        holds(condition.left, item, placeholders) || holds(condition.right, item, placeholders)
      );
    case 'not':
      return !holds(condition.inner, item, placeholders);
    case 'compare':
      return compares(condition.by, value(condition.left), value(condition.right));
    case 'between': {
      const subject = value(condition.subject);
      return (
        compares('>=', subject, value(condition.low)) &&
        compares('<=', subject, value(condition.high))
      );
    }
    case 'in': {
      const subject = value(condition.subject);
      return condition.list.some((operand) => compares('=', subject, value(operand)));
    }
    case 'test':
      return passes(condition.name, condition.operands.map(value));
  }
}

function compares(
  by: Comparator,
  left: AttributeValue | undefined,
  right: AttributeValue | undefined,
): boolean {
  const areEqual = left !== undefined && right !== undefined && equalValues(left, right);
  if (by === '=') return areEqual;
  if (by === '<>') return !areEqual;
  if (!left || !right) return false;
  const order = compareValues(left, right);
  if (order === undefined) return false;
  switch (by) {
    case '<':
      return order < 0;
    case '<=':
      return order <= 0;
    case '>':
      return order > 0;
    case '>=':
      return order >= 0;
  }
}

/** The arity has been checked by the parser. */
function passes(
  name: string,
  [subject, argument]: readonly (AttributeValue | undefined)[],
): boolean {
  switch (name) {
    case 'attribute_exists':
      return subject !== undefined;
    case 'attribute_not_exists':
      return subject === undefined;
    case 'attribute_type':
      return subject !== undefined && argument !== undefined && 'S' in argument
        ? typeOf(subject) === argument.S
        : false;
    case 'begins_with':
      return beginsWith(subject, argument);
    default:
      return contains(subject, argument);
  }
}

function beginsWith(
  subject: AttributeValue | undefined,
  prefix: AttributeValue | undefined,
): boolean {
  if (!prefix || !('S' in prefix || 'B' in prefix)) {
    throw invalid(
      'Invalid expression: Incorrect operand type for operator or function; operator or function: begins_with',
    );
  }
  if (!subject) return false;
  if ('S' in subject && 'S' in prefix) return subject.S.startsWith(prefix.S);
  if ('B' in subject && 'B' in prefix) {
    const start = Buffer.from(prefix.B, 'base64');
    return Buffer.from(subject.B, 'base64').subarray(0, start.byteLength).equals(start);
  }
  return false;
}

function contains(
  subject: AttributeValue | undefined,
  element: AttributeValue | undefined,
): boolean {
  if (!subject || !element) return false;
  if ('L' in subject) return subject.L.some((candidate) => equalValues(candidate, element));
  if ('S' in element) {
    if ('S' in subject) return subject.S.includes(element.S);
    return 'SS' in subject && subject.SS.includes(element.S);
  }
  if ('N' in element) return 'NS' in subject && subject.NS.includes(element.N);
  if (!('B' in element)) return false;
  if ('BS' in subject) return subject.BS.includes(element.B);
  return (
    'B' in subject && Buffer.from(subject.B, 'base64').includes(Buffer.from(element.B, 'base64'))
  );
}

function operandValue(
  operand: Operand,
  item: Item,
  placeholders: Placeholders,
): AttributeValue | undefined {
  switch (operand.kind) {
    case 'value':
      return placeholders.value(operand.placeholder);
    case 'path':
      return valueAt(item, placeholders.path(operand.path));
    case 'call': {
      const [inner, ...more] = operand.operands;
      if (operand.name !== 'size' || !inner || more.length > 0) {
        throw invalid(`Invalid expression: Invalid function name; function: ${operand.name}`);
      }
      const size = sizeOf(operandValue(inner, item, placeholders));
      return size === undefined ? undefined : { N: String(size) };
    }
  }
}

/** Characters count as UTF-8 bytes, collections as their elements. */
function sizeOf(value: AttributeValue | undefined): number | undefined {
  if (!value) return undefined;
  if ('S' in value) return Buffer.byteLength(value.S);
  if ('B' in value) return Buffer.byteLength(value.B, 'base64');
  if ('M' in value) return Object.keys(value.M).length;
  if ('L' in value) return value.L.length;
  if ('SS' in value) return value.SS.length;
  if ('NS' in value) return value.NS.length;
  if ('BS' in value) return value.BS.length;
  return undefined;
}
