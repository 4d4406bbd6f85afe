/**
 * The #names and :values of one request. Every one that an expression uses must be given, and
 * every one that is given must be used, as the service demands.
 */
import { invalid } from '../aws-error.ts';
import { readValue, type AttributeValue } from './attribute-value.ts';
import type { Path } from './expression-parser.ts';

/** What an expression refers to. */
export interface Uses {
  readonly names: ReadonlySet<string>;
  readonly values: ReadonlySet<string>;
}

export interface Placeholders {
  value(placeholder: string): AttributeValue;
  /** The path with every #name replaced. */
  path(path: Path): Path;
}

export function bindPlaceholders(
  given: {
    readonly ExpressionAttributeNames?: Readonly<Record<string, string>> | undefined;
    readonly ExpressionAttributeValues?: Readonly<Record<string, unknown>> | undefined;
  },
  expressions: readonly (Uses | undefined)[],
): Placeholders {
  const names = new Map(Object.entries(given.ExpressionAttributeNames ?? {}));
  const values = new Map(
    Object.entries(given.ExpressionAttributeValues ?? {}).map(([name, value]) => [
      name,
      readValue(value),
    ]),
  );
  const used = expressions.flatMap((uses) => uses ?? []);
  checkUse(
    'Names',
    names,
    used.map((uses) => uses.names),
  );
  checkUse(
    'Values',
    values,
    used.map((uses) => uses.values),
  );
  return {
    value(placeholder) {
      const value = values.get(placeholder);
      if (value === undefined) throw undefinedPlaceholder('Values', placeholder);
      return value;
    },
    path: (path) =>
      path.map((step) => (typeof step === 'string' ? (names.get(step) ?? step) : step)),
  };
}

function checkUse(
  kind: 'Names' | 'Values',
  given: ReadonlyMap<string, unknown>,
  uses: readonly ReadonlySet<string>[],
): void {
  const used = new Set(uses.flatMap((set) => [...set]));
  for (const placeholder of used) {
    if (!given.has(placeholder)) throw undefinedPlaceholder(kind, placeholder);
  }
  const unused = [...given.keys()].filter((placeholder) => !used.has(placeholder));
  if (unused.length > 0) {
    throw invalid(
      `Value provided in ExpressionAttribute${kind} unused in expressions: keys: {${unused.join(', ')}}`,
    );
  }
}

function undefinedPlaceholder(kind: 'Names' | 'Values', placeholder: string): Error {
  return kind === 'Names'
    ? invalid(
        `Invalid expression: An expression attribute name used in the document path is not defined; attribute name: ${placeholder}`,
      )
    : invalid(
        `Invalid expression: An expression attribute value used in expression is not defined; attribute value: ${placeholder}`,
      );
}
