/**
 * Decides a request by an IAM policy document, as AWS would: an explicit Deny wins, then an Allow
 * is needed. Knows the elements that the documents in deploy/aws use and refuses to load any other,
 * so that nothing is ever allowed by an element it has overlooked.
 */
import { z } from 'zod';

export interface AccessRequest {
  /** As IAM names it, such as `dynamodb:GetItem`. */
  readonly action: string;
  /** ARN. */
  readonly resource: string;
  /** Condition keys with their values; a key without values counts as absent. */
  readonly context: Readonly<Record<string, readonly string[]>>;
}

export type Policy = (request: AccessRequest) => boolean;

const oneOrMore = z.union([z.string().transform((text) => [text]), z.array(z.string())]);
const Statement = z.strictObject({
  Sid: z.string().optional(),
  Effect: z.enum(['Allow', 'Deny']),
  Principal: z.unknown().optional(),
  Action: oneOrMore,
  Resource: oneOrMore.optional(),
  Condition: z.record(z.string(), z.record(z.string(), oneOrMore)).optional(),
});
const Document = z.strictObject({
  Version: z.literal('2012-10-17'),
  Statement: z.array(Statement),
});

type Statement = z.output<typeof Statement>;
type Context = AccessRequest['context'];

/** @throws on elements and operators that are not understood. */
export function compilePolicy(document: unknown): Policy {
  const { Statement: statements } = Document.parse(document);
  const compiled = statements.map((statement) => ({
    denies: statement.Effect === 'Deny',
    applies: compileStatement(statement),
  }));
  return (request) => {
    const applying = compiled.filter(({ applies }) => applies(request));
    return applying.length > 0 && !applying.some(({ denies }) => denies);
  };
}

function compileStatement(statement: Statement): Policy {
  const actions = statement.Action.map((pattern) => wildcard(pattern, 'i'));
  // A trust policy has no Resource: it speaks of the role it is attached to.
  const resources = statement.Resource ?? ['*'];
  const conditions = Object.entries(statement.Condition ?? {}).flatMap(([operator, keys]) =>
    Object.entries(keys).map(([key, values]) => compileCondition(operator, key, values)),
  );
  return ({ action, resource, context }) =>
    actions.some((pattern) => pattern.test(action)) &&
    resources.some((pattern) => matchesPattern(pattern, resource, context)) &&
    conditions.every((holds) => holds(context));
}

function compileCondition(
  operator: string,
  key: string,
  values: readonly string[],
): (context: Context) => boolean {
  const single = (test: ValueTest) => (context: Context) => {
    const [given, ...more] = context[key] ?? [];
    // Without a set operator a condition on several values never holds.
    return given !== undefined && more.length === 0 && test(given, context);
  };
  const anyOf = (test: typeof equalsValue): ValueTest => {
    return (given, context) => values.some((value) => test(value, given, context));
  };
  switch (operator) {
    case 'StringEquals':
      return single(anyOf(equalsValue));
    case 'StringLike':
      return single(anyOf(matchesPattern));
    case 'ForAllValues:StringEquals':
      return (context) => (context[key] ?? []).every((given) => anyOf(equalsValue)(given, context));
    case 'ForAnyValue:StringEquals':
      return (context) => (context[key] ?? []).some((given) => anyOf(equalsValue)(given, context));
    case 'Null':
      return (context) => values.includes(String((context[key] ?? []).length === 0));
    default:
      throw new Error(`Condition operator ${operator} is not supported by the local AWS`);
  }
}

type ValueTest = (given: string, context: Context) => boolean;

function equalsValue(value: string, given: string, context: Context): boolean {
  return substitute(value, context, (text) => text) === given;
}

/** A variable without a value makes its pattern match nothing. */
function matchesPattern(pattern: string, given: string, context: Context): boolean {
  // Characters of a variable's value are literal, whatever they are.
  const literal = (text: string) => text.replace(/[*?$]/g, (character) => `\${${character}}`);
  const resolved = substitute(pattern, context, literal);
  return resolved !== undefined && wildcard(resolved).test(given);
}

function substitute(
  pattern: string,
  context: Context,
  quote: (text: string) => string,
): string | undefined {
  let missing = false;
  const text = pattern.replace(/\$\{([^}*?$]+)\}/g, (_, name: string) => {
    const [value, ...more] = context[name] ?? [];
    if (value === undefined || more.length > 0) missing = true;
    return quote(value ?? '');
  });
  return missing ? undefined : text;
}

const wildcards = new Map<string, RegExp>();
const maxWildcards = 1_000;

/** `*` and `?` as IAM reads them; `${*}` and `${?}` stand for the characters themselves. */
function wildcard(pattern: string, flags = ''): RegExp {
  const id = `${flags}/${pattern}`;
  const known = wildcards.get(id);
  if (known) return known;
  const source = pattern.replace(
    /\$\{([*?$])\}|([*?])|([.+^${}()|[\]\\])/g,
    (_, quoted, wild, special) => {
      if (quoted) return `\\${quoted}`;
      if (wild) return wild === '*' ? '.*' : '.';
      return `\\${special}`;
    },
  );
  if (wildcards.size >= maxWildcards) wildcards.clear();
  const expression = new RegExp(`^${source}$`, `${flags}su`);
  wildcards.set(id, expression);
  return expression;
}
