/**
 * DynamoDB's values as they travel: `{"S": "text"}`, `{"N": "1"}` and so on. Reads them with the
 * service's own rules, and measures, compares and copies them.
 *
 * Maps have no prototype, so that an attribute may bear any name.
 */
import { invalid } from '../aws-error.ts';
import { compareUtf8 } from '../utf8-order.ts';
import { compareNumbers, normalizeNumber } from './numbers.ts';

export type AttributeValue =
  | { readonly S: string }
  | { readonly N: string }
  | { readonly B: string }
  | { readonly BOOL: boolean }
  | { readonly NULL: true }
  | { readonly L: readonly AttributeValue[] }
  | { readonly M: Item }
  | { readonly SS: readonly string[] }
  | { readonly NS: readonly string[] }
  | { readonly BS: readonly string[] };

export type Item = Readonly<Record<string, AttributeValue>>;

const maxDepth = 32;

export function emptyItem(): Record<string, AttributeValue> {
  return Object.create(null);
}

/** @throws {AwsError} unless `input` is a map of attribute values. */
export function readItem(input: unknown, depth = 0): Item {
  if (!isRecord(input)) throw invalid('Supplied AttributeValue map is not an object');
  const item = emptyItem();
  for (const name of Object.keys(input)) item[name] = readValue(input[name], depth);
  return item;
}

/** @throws {AwsError} unless `input` is one attribute value. Numbers come out normalized. */
export function readValue(input: unknown, depth = 0): AttributeValue {
  if (depth > maxDepth) {
    throw invalid('Nesting Levels have exceeded supported limits: Attributes have nested too deep');
  }
  if (!isRecord(input)) throw badValue('is not an object');
  const [type, ...more] = Object.keys(input).filter((name) => input[name] !== undefined);
  if (type === undefined || more.length > 0) {
    throw badValue('must contain exactly one of the supported datatypes');
  }
  const value = input[type];
  switch (type) {
    case 'S':
      return { S: readText(value) };
    case 'N':
      return { N: normalizeNumber(readText(value)) };
    case 'B':
      return { B: readBase64(value) };
    case 'BOOL':
      if (typeof value !== 'boolean') throw badValue('BOOL must be true or false');
      return { BOOL: value };
    case 'NULL':
      if (value !== true) throw badValue('Null attribute value types must have the value of true');
      return { NULL: true };
    case 'L':
      if (!Array.isArray(value)) throw badValue('L must be a list');
      return { L: value.map((element) => readValue(element, depth + 1)) };
    case 'M':
      return { M: readItem(value, depth + 1) };
    case 'SS':
      return { SS: readSet(value, readText) };
    case 'NS':
      return { NS: readSet(value, (element) => normalizeNumber(readText(element))) };
    case 'BS':
      return { BS: readSet(value, readBase64) };
    default:
      throw badValue(`has the unknown datatype ${type}`);
  }
}

function readText(value: unknown): string {
  if (typeof value !== 'string') throw badValue('must be text');
  return value;
}

function readBase64(value: unknown): string {
  const text = readText(value);
  if (Buffer.from(text, 'base64').toString('base64') !== text) throw badValue('is not Base64');
  return text;
}

function readSet(value: unknown, read: (element: unknown) => string): string[] {
  if (!Array.isArray(value)) throw badValue('a set must be a list');
  const elements = value.map((element) => read(element));
  if (elements.length === 0) throw badValue('An string set  may not be empty');
  if (new Set(elements).size !== elements.length) {
    throw badValue(`Input collection [${elements.join(', ')}] contains duplicates`);
  }
  return elements;
}

function badValue(reason: string): Error {
  return invalid(`One or more parameter values were invalid: Supplied AttributeValue ${reason}`);
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function typeOf(value: AttributeValue): string {
  for (const type in value) return type;
  return '';
}

/** Bytes as DynamoDB counts them towards its limits. */
export function itemSize(item: Item): number {
  let bytes = 0;
  for (const name of Object.keys(item)) {
    const value = item[name];
    if (value) bytes += Buffer.byteLength(name) + valueSize(value);
  }
  return bytes;
}

function valueSize(value: AttributeValue): number {
  if ('S' in value) return Buffer.byteLength(value.S);
  if ('N' in value) return numberSize(value.N);
  if ('B' in value) return Buffer.byteLength(value.B, 'base64');
  if ('L' in value) return value.L.reduce((bytes, element) => bytes + 1 + valueSize(element), 3);
  if ('M' in value) return 3 + Object.keys(value.M).length + itemSize(value.M);
  if ('SS' in value) return sum(value.SS, (text) => Buffer.byteLength(text));
  if ('NS' in value) return sum(value.NS, numberSize);
  if ('BS' in value) return sum(value.BS, (text) => Buffer.byteLength(text, 'base64'));
  return 1;
}

function numberSize(text: string): number {
  return Math.ceil(text.replace(/[-.]|^0+|0+$/g, '').length / 2) + 1;
}

function sum(texts: readonly string[], size: (text: string) => number): number {
  return texts.reduce((bytes, text) => bytes + size(text), 0);
}

/** Order within one type; undefined between types, and for types without an order. */
export function compareValues(a: AttributeValue, b: AttributeValue): number | undefined {
  if ('S' in a && 'S' in b) return compareUtf8(a.S, b.S);
  if ('N' in a && 'N' in b) return compareNumbers(a.N, b.N);
  if ('B' in a && 'B' in b) {
    return Buffer.compare(Buffer.from(a.B, 'base64'), Buffer.from(b.B, 'base64'));
  }
  return undefined;
}

export function equalValues(a: AttributeValue, b: AttributeValue): boolean {
  if ('S' in a && 'S' in b) return a.S === b.S;
  return canonical(a) === canonical(b);
}

/** The same text for equal values: sets and maps sorted. Numbers are normal already. */
function canonical(value: AttributeValue): string {
  if ('SS' in value) return `SS${JSON.stringify([...value.SS].sort())}`;
  if ('NS' in value) return `NS${JSON.stringify([...value.NS].sort())}`;
  if ('BS' in value) return `BS${JSON.stringify([...value.BS].sort())}`;
  if ('L' in value) return `L[${value.L.map(canonical).join()}]`;
  if ('M' in value) {
    const { M } = value;
    const entries = Object.keys(M)
      .sort()
      .map((name) => {
        const inner = M[name];
        return `${JSON.stringify(name)}:${inner ? canonical(inner) : ''}`;
      });
    return `M{${entries.join()}}`;
  }
  return JSON.stringify(value);
}
