/** Option values as text from a command line, parsed. */
import { InvalidArgumentError } from 'commander';
import type { z } from 'zod';

/** A whole number within bounds. */
export function wholeNumber(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (/^\d+$/.test(text) && value >= min && value <= max) return value;
    throw new InvalidArgumentError(`Must be a whole number from ${min} to ${max}.`);
  };
}

/** Text that `schema` accepts, as what it makes of it. */
export function parsedBy<Schema extends z.ZodType>(
  schema: Schema,
): (text: string) => z.output<Schema> {
  return (text) => {
    const parsed = schema.safeParse(text);
    if (parsed.success) return parsed.data;
    throw new InvalidArgumentError(`It ${parsed.error.issues[0]?.message ?? 'is not valid'}.`);
  };
}

const unitMs = { m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/** `90m`, `12h` or `30d`, in milliseconds. */
export function duration(text: string): number {
  const [, digits, unit] = /^(\d{1,6})([mhd])$/.exec(text) ?? [];
  const factor = unit === 'm' || unit === 'h' || unit === 'd' ? unitMs[unit] : 0;
  const ms = Number(digits) * factor;
  if (ms > 0) return ms;
  throw new InvalidArgumentError('Write 90m, 12h or 30d.');
}
