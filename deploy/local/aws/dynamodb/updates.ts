/** Parses and applies update expressions. Every value is computed from the item as it was. */
import { invalid } from '../aws-error.ts';
import type { AttributeValue, Item } from './attribute-value.ts';
import { refuseOverlaps, valueAt, withValueAt } from './document-path.ts';
import { syntaxError } from './expression-lexer.ts';
import { ExpressionParser, type Operand, type Path } from './expression-parser.ts';
import { addNumbers, subtractNumbers } from './numbers.ts';
import type { Placeholders, Uses } from './placeholders.ts';

type Arithmetic = { readonly sign: '+' | '-'; readonly operand: Operand };

type Action =
  | {
      readonly kind: 'SET';
      readonly path: Path;
      readonly value: Operand;
      readonly arithmetic?: Arithmetic;
    }
  | { readonly kind: 'REMOVE'; readonly path: Path }
  | { readonly kind: 'ADD' | 'DELETE'; readonly path: Path; readonly value: Operand };

export interface Update extends Uses {
  readonly actions: readonly Action[];
}

const clauses = ['SET', 'REMOVE', 'ADD', 'DELETE'] as const;

export function parseUpdate(expression: string): Update {
  const parser = new ExpressionParser(expression);
  const actions: Action[] = [];
  const seen = new Set<string>();
  while (!parser.done) {
    const clause = clauses.find((word) => parser.keyword(word));
    if (!clause) throw syntaxError(expression);
    if (seen.has(clause)) {
      throw invalid(
        `Invalid UpdateExpression: The "${clause}" section can only be used once in an update expression;`,
      );
    }
    seen.add(clause);
    do actions.push(parseAction(clause, parser));
    while (parser.punctuation(','));
  }
  return { actions, names: parser.names, values: parser.values };
}

function parseAction(kind: Action['kind'], parser: ExpressionParser): Action {
  const path = parser.path();
  if (kind === 'REMOVE') return { kind, path };
  if (kind !== 'SET') return { kind, path, value: parser.value() };
  parser.expect('=');
  const value = parser.operand();
  const sign = (['+', '-'] as const).find((text) => parser.punctuation(text));
  return sign
    ? { kind, path, value, arithmetic: { sign, operand: parser.operand() } }
    : { kind, path, value };
}

export interface Updated {
  readonly item: Item;
  /** The paths that the expression names. */
  readonly paths: readonly Path[];
}

/** @throws {AwsError} if a path is not there, leads into the key, or a value has the wrong type. */
export function applyUpdate(
  update: Update,
  old: Item,
  keyAttributes: readonly string[],
  placeholders: Placeholders,
): Updated {
  const steps = update.actions.map((action) => ({
    path: placeholders.path(action.path),
    action,
  }));
  const paths = steps.map(({ path }) => path);
  refuseOverlaps(paths, 'UpdateExpression');
  for (const [name] of paths) {
    if (typeof name === 'string' && keyAttributes.includes(name)) {
      throw invalid(
        `One or more parameter values were invalid: Cannot update attribute ${name}. This attribute is part of the key`,
      );
    }
  }
  const removals = steps.filter(({ action }) => action.kind === 'REMOVE');
  let item = old;
  for (const { path, action } of steps) {
    if (action.kind === 'REMOVE') continue;
    item = withValueAt(item, path, newValue(action, path, old, placeholders));
  }
  // From the last element to the first, so that none has moved when its turn comes.
  for (const { path } of removals.sort((a, b) => lastIndex(b.path) - lastIndex(a.path))) {
    if (path.length > 1 || valueAt(item, path)) item = withValueAt(item, path, undefined);
  }
  return { item, paths };
}

function lastIndex(path: Path): number {
  const last = path.at(-1);
  return typeof last === 'number' ? last : -1;
}

/** Undefined takes the attribute away, as when a DELETE leaves its set empty. */
function newValue(
  action: Exclude<Action, { kind: 'REMOVE' }>,
  path: Path,
  old: Item,
  placeholders: Placeholders,
): AttributeValue | undefined {
  if (action.kind === 'SET') {
    const value = required(operandValue(action.value, old, placeholders));
    if (!action.arithmetic) return value;
    const { sign, operand } = action.arithmetic;
    const other = required(operandValue(operand, old, placeholders));
    if (!('N' in value) || !('N' in other)) throw wrongType();
    return { N: (sign === '+' ? addNumbers : subtractNumbers)(value.N, other.N) };
  }
  const value = required(operandValue(action.value, old, placeholders));
  const current = valueAt(old, path);
  return action.kind === 'ADD' ? added(current, value) : removed(current, value);
}

function operandValue(
  operand: Operand,
  old: Item,
  placeholders: Placeholders,
): AttributeValue | undefined {
  if (operand.kind === 'value') return placeholders.value(operand.placeholder);
  if (operand.kind === 'path') return valueAt(old, placeholders.path(operand.path));
  const [first, second, ...more] = operand.operands;
  if (!first || !second || more.length > 0) {
    throw invalid(
      `Invalid UpdateExpression: Incorrect number of operands for operator or function; operator or function: ${operand.name}`,
    );
  }
  switch (operand.name) {
    case 'if_not_exists':
      return operandValue(first, old, placeholders) ?? operandValue(second, old, placeholders);
    case 'list_append': {
      const start = required(operandValue(first, old, placeholders));
      const rest = required(operandValue(second, old, placeholders));
      if (!('L' in start) || !('L' in rest)) throw wrongType();
      return { L: [...start.L, ...rest.L] };
    }
    default:
      throw invalid(`Invalid UpdateExpression: Invalid function name; function: ${operand.name}`);
  }
}

function added(current: AttributeValue | undefined, value: AttributeValue): AttributeValue {
  if ('N' in value) {
    if (!current) return value;
    if ('N' in current) return { N: addNumbers(current.N, value.N) };
  }
  if ('SS' in value && (!current || 'SS' in current)) {
    return { SS: union(current?.SS, value.SS) };
  }
  if ('NS' in value && (!current || 'NS' in current)) {
    return { NS: union(current?.NS, value.NS) };
  }
  if ('BS' in value && (!current || 'BS' in current)) {
    return { BS: union(current?.BS, value.BS) };
  }
  throw wrongType();
}

function removed(
  current: AttributeValue | undefined,
  value: AttributeValue,
): AttributeValue | undefined {
  if (!('SS' in value || 'NS' in value || 'BS' in value)) throw wrongType();
  if (!current) return undefined;
  if ('SS' in value && 'SS' in current) {
    const SS = without(current.SS, value.SS);
    return SS.length > 0 ? { SS } : undefined;
  }
  if ('NS' in value && 'NS' in current) {
    const NS = without(current.NS, value.NS);
    return NS.length > 0 ? { NS } : undefined;
  }
  if ('BS' in value && 'BS' in current) {
    const BS = without(current.BS, value.BS);
    return BS.length > 0 ? { BS } : undefined;
  }
  throw wrongType();
}

function union(current: readonly string[] | undefined, more: readonly string[]): string[] {
  return [...new Set([...(current ?? []), ...more])];
}

function without(current: readonly string[], gone: readonly string[]): string[] {
  return current.filter((element) => !gone.includes(element));
}

function required(value: AttributeValue | undefined): AttributeValue {
  if (value) return value;
  throw invalid('The provided expression refers to an attribute that does not exist in the item');
}

function wrongType(): Error {
  return invalid('An operand in the update expression has an incorrect data type');
}
