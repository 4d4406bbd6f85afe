/** The key of a stored value or artifact: any UTF-8 text of 1 to 900 bytes that stays inside its tenant. */
import { z } from 'zod';

const maxBytes = 900;

/** `.` and `..` as whole path segments: S3 keeps them, but tools that map keys to paths would climb. */
const climbs = (key: string): boolean =>
  key.split('/').some((part) => part === '.' || part === '..');

// Built on TextEncoder rather than Buffer: a contract imports nothing of Node.
const byteLength = (text: string): number => new TextEncoder().encode(text).length;

export const ItemKey = z
  .string()
  .min(1, 'must not be empty')
  .refine((key) => byteLength(key) <= maxBytes, `must be at most ${maxBytes} bytes of UTF-8`)
  .refine((key) => key.isWellFormed(), 'must be well-formed Unicode')
  .refine((key) => !climbs(key), 'must not contain "." or ".." as a path segment');

/** What such a key may start with; the empty text is what every key starts with. */
export const KeyPrefix = z
  .string()
  .refine((prefix) => byteLength(prefix) <= maxBytes, `must be at most ${maxBytes} bytes of UTF-8`)
  .refine((prefix) => prefix.isWellFormed(), 'must be well-formed Unicode');
