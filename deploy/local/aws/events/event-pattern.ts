/** EventBridge event patterns: checked when a rule is made, matched when an event comes. */
import { BlockList, isIP } from 'node:net';
import { z } from 'zod';

export type JsonObject = { readonly [name: string]: unknown };
type Matcher = (value: unknown) => boolean;

const scalar = z.union([z.string(), z.number(), z.boolean(), z.null()]);
const texts = z.union([z.string().transform((text) => [text]), z.array(z.string()).min(1)]);
const anyCase = z.strictObject({ 'equals-ignore-case': z.string() });
const affix = z.union([z.string(), anyCase]);

/** The match types by their names, each from its argument to its matcher. */
const matchTypes: Readonly<Record<string, (argument: unknown) => Matcher>> = {
  prefix: (argument) =>
    affixMatcher(affix.parse(argument), (text, start) => text.startsWith(start)),
  suffix: (argument) => affixMatcher(affix.parse(argument), (text, end) => text.endsWith(end)),
  'equals-ignore-case': (argument) => {
    const wanted = z.string().parse(argument).toLowerCase();
    return (value) => typeof value === 'string' && value.toLowerCase() === wanted;
  },
  wildcard: (argument) => wildcardMatcher(z.string().parse(argument)),
  numeric: (argument) => numericMatcher(z.array(z.union([z.string(), z.number()])).parse(argument)),
  cidr: (argument) => cidrMatcher(z.string().parse(argument)),
  'anything-but': (argument) => anythingBut(argument),
};

/**
 * The compiled pattern: whether an event matches.
 * @throws with a reason if the pattern is not valid.
 */
export function compileEventPattern(pattern: unknown): (event: unknown) => boolean {
  if (!isObject(pattern) || Object.keys(pattern).length === 0) {
    throw new Error('Filter is not an object');
  }
  return compileObject(pattern);
}

function compileObject(pattern: JsonObject): Matcher {
  const parts = Object.entries(pattern).map(([name, rule]): Matcher => {
    if (name === '$or' && Array.isArray(rule) && rule.every(isObject)) {
      const choices = rule.map((choice) => compileEventPattern(choice));
      return (value) => choices.some((matches) => matches(value));
    }
    const matches = compileRule(name, rule);
    return (value) => matches(isObject(value) ? value[name] : undefined);
  });
  return (value) => parts.every((matches) => matches(value));
}

function compileRule(name: string, rule: unknown): Matcher {
  if (Array.isArray(rule)) return compileLeaf(rule);
  if (!isObject(rule)) throw new Error(`"${name}" must be an object or an array`);
  const matches = compileObject(rule);
  return (value) =>
    Array.isArray(value) ? value.some((element) => matches(element)) : matches(value);
}

/** A value matches any of the rules; of a list, any element does. */
function compileLeaf(rules: readonly unknown[]): Matcher {
  if (rules.length === 0) throw new Error('Empty arrays are not allowed');
  const matchers = rules.map((rule): Matcher => {
    const existence = existenceOf(rule);
    // Only leaves exist: an object is none.
    if (existence !== undefined)
      return (value) => existence === !(value === undefined || isObject(value));
    const matches = compileValue(rule);
    return (value) => elementsOf(value).some((element) => matches(element));
  });
  return (value) => matchers.some((matches) => matches(value));
}

function existenceOf(rule: unknown): boolean | undefined {
  if (!isObject(rule) || !Object.hasOwn(rule, 'exists')) return undefined;
  return z.strictObject({ exists: z.boolean() }).parse(rule).exists;
}

function elementsOf(value: unknown): readonly unknown[] {
  if (Array.isArray(value)) return value.flatMap(elementsOf);
  return value === undefined || isObject(value) ? [] : [value];
}

function compileValue(rule: unknown): Matcher {
  if (!isObject(rule)) {
    const wanted = scalar.parse(rule);
    return (value) => value === wanted;
  }
  const [[type, argument] = ['', undefined], ...more] = Object.entries(rule);
  const compile = Object.hasOwn(matchTypes, type) ? matchTypes[type] : undefined;
  if (!compile || more.length > 0) throw new Error(`Unrecognized match type ${type}`);
  return compile(argument);
}

function affixMatcher(
  wanted: z.output<typeof affix>,
  has: (text: string, part: string) => boolean,
): Matcher {
  if (typeof wanted === 'string') return (value) => typeof value === 'string' && has(value, wanted);
  const part = wanted['equals-ignore-case'].toLowerCase();
  return (value) => typeof value === 'string' && has(value.toLowerCase(), part);
}

function wildcardMatcher(pattern: string): Matcher {
  if (pattern.includes('**')) throw new Error('Consecutive wildcard characters');
  const source = pattern.replace(/[.+?^${}()|[\]\\]/g, '\\$&').replaceAll('*', '.*');
  const expression = new RegExp(`^${source}$`, 's');
  return (value) => typeof value === 'string' && expression.test(value);
}

const comparisons: Readonly<Record<string, (a: number, b: number) => boolean>> = {
  '=': (a, b) => a === b,
  '<': (a, b) => a < b,
  '<=': (a, b) => a <= b,
  '>': (a, b) => a > b,
  '>=': (a, b) => a >= b,
};

function numericMatcher(terms: readonly (string | number)[]): Matcher {
  const tests: ((value: number) => boolean)[] = [];
  for (let index = 0; index < terms.length; index += 2) {
    const compare = comparisons[String(terms[index])];
    const bound = terms[index + 1];
    if (!compare || typeof bound !== 'number') throw new Error('Invalid numeric match');
    tests.push((value) => compare(value, bound));
  }
  if (tests.length === 0 || tests.length > 2) throw new Error('Invalid numeric match');
  return (value) => typeof value === 'number' && tests.every((test) => test(value));
}

function cidrMatcher(range: string): Matcher {
  const [address = '', bits = ''] = range.split('/');
  const family = isIP(address) === 6 ? 'ipv6' : 'ipv4';
  const block = new BlockList();
  block.addSubnet(address, Number(bits), family);
  return (value) => {
    const version = typeof value === 'string' ? isIP(value) : 0;
    return typeof value === 'string' && version !== 0
      ? block.check(value, version === 6 ? 'ipv6' : 'ipv4')
      : false;
  };
}

function anythingBut(argument: unknown): Matcher {
  if (isObject(argument)) {
    const [[type, inner] = ['', undefined]] = Object.entries(argument);
    const excluded = texts.parse(inner).map((text) => compileValue({ [type]: text }));
    return (value) => !excluded.some((matches) => matches(value));
  }
  const excluded = z.array(z.union([z.string(), z.number()])).min(1);
  const list: readonly unknown[] = excluded.parse(Array.isArray(argument) ? argument : [argument]);
  return (value) => !list.includes(value);
}

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
