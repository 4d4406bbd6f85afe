import { z } from 'zod';
import { defineTool } from './contract.ts';
import { ItemKey } from './keys.ts';

/** A DynamoDB item ends at 400 KB, names and bookkeeping attributes included. */
const maxValueBytes = 400 * 1024 - 2_048;

/** Contract of `kv_set`: write one value, which expires after `ttl_hours`. */
export const kvSet = defineTool({
  name: 'kv_set',
  title: 'Set a value',
  description: 'Set a value in the key-value store',
  input: z.object({
    key: ItemKey.describe('The key to set'),
    value: z
      .string()
      .refine(
        (value) => new TextEncoder().encode(value).length <= maxValueBytes,
        `must be at most ${maxValueBytes} bytes of UTF-8. Store larger content with artifacts_put`,
      )
      .describe('The value to store'),
    ttl_hours: z
      .number()
      .min(0)
      .max(876_000)
      .default(24)
      .describe('Time to live in hours (default: 24). 0 means never'),
  }),
  output: z.object({ success: z.literal(true) }),
  permission: 'WriteKV',
  effect: 'idempotent',
  destructive: true,
  quotaCost: 1,
});
