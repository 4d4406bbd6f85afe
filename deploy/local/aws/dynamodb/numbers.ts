/**
 * DynamoDB numbers: decimal text of up to 38 significant digits, computed exactly.
 * A decimal is `digits × 10^exponent`, without trailing zeros in `digits`.
 */
import { invalid } from '../aws-error.ts';

interface Decimal {
  readonly digits: bigint;
  readonly exponent: number;
}

const maxDigits = 38;
const maxMagnitude = 125;
const minMagnitude = -130;
/** Integers below this many digits are already normal and exact as JavaScript numbers. */
const plainInteger = /^(?:0|-?[1-9]\d{0,14})$/;

/** @throws {AwsError} for text that is no number, too long, too large or too small. */
export function normalizeNumber(text: string): string {
  return plainInteger.test(text) ? text : format(checked(parse(text)));
}

export function addNumbers(a: string, b: string): string {
  return combine(a, b, 1n);
}

export function subtractNumbers(a: string, b: string): string {
  return combine(a, b, -1n);
}

export function compareNumbers(a: string, b: string): number {
  if (plainInteger.test(a) && plainInteger.test(b)) return Number(a) - Number(b);
  const [left, right] = align(parse(a), parse(b));
  if (left === right) return 0;
  return left < right ? -1 : 1;
}

function combine(a: string, b: string, sign: bigint): string {
  const [left, right, exponent] = align(parse(a), parse(b));
  return format(checked(strip(left + sign * right, exponent)));
}

function parse(text: string): Decimal {
  const match = /^([+-]?)(\d*)(?:\.(\d*))?(?:[eE]([+-]?\d{1,4}))?$/.exec(text);
  const [, sign = '', whole = '', fraction = '', power = '0'] = match ?? [];
  if (!match || whole + fraction === '' || text.length > 400) {
    throw invalid(`The parameter cannot be converted to a numeric value: ${text.slice(0, 100)}`);
  }
  const digits = BigInt(whole + fraction);
  return strip(sign === '-' ? -digits : digits, Number(power) - fraction.length);
}

function strip(digits: bigint, exponent: number): Decimal {
  if (digits === 0n) return { digits, exponent: 0 };
  const text = digits.toString();
  const zeros = text.length - text.replace(/0+$/, '').length;
  return { digits: digits / 10n ** BigInt(zeros), exponent: exponent + zeros };
}

function checked(decimal: Decimal): Decimal {
  if (decimal.digits === 0n) return decimal;
  const length = decimal.digits.toString().replace('-', '').length;
  const magnitude = length - 1 + decimal.exponent;
  if (magnitude > maxMagnitude) {
    throw invalid(
      'Number overflow. Attempting to store a number with magnitude larger than supported range',
    );
  }
  if (magnitude < minMagnitude) {
    throw invalid(
      'Number underflow. Attempting to store a number with magnitude smaller than supported range',
    );
  }
  if (length > maxDigits) {
    throw invalid('Attempting to store more than 38 significant digits in a Number');
  }
  return decimal;
}

function align(a: Decimal, b: Decimal): [bigint, bigint, number] {
  const exponent = Math.min(a.exponent, b.exponent);
  return [
    a.digits * 10n ** BigInt(a.exponent - exponent),
    b.digits * 10n ** BigInt(b.exponent - exponent),
    exponent,
  ];
}

function format({ digits, exponent }: Decimal): string {
  const sign = digits < 0n ? '-' : '';
  const text = (digits < 0n ? -digits : digits).toString();
  if (exponent >= 0) return sign + text + '0'.repeat(exponent);
  const padded = text.padStart(1 - exponent, '0');
  return `${sign}${padded.slice(0, exponent)}.${padded.slice(exponent)}`;
}
