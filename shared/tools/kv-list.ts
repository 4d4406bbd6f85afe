import { z } from 'zod';
import { defineTool } from './contract.ts';
import { KeyPrefix } from './keys.ts';

/** Contract of `kv_list`: keys without their values, page by page. */
export const kvList = defineTool({
  name: 'kv_list',
  title: 'List keys',
  description: 'List keys of the key-value store, in UTF-8 order, with optional prefix',
  input: z.object({
    prefix: KeyPrefix.default('').describe('Only keys that start with this. Omit to list all'),
    cursor: z
      .string()
      .max(4_096)
      .optional()
      .describe('The cursor of the page before, to go on from there with the same prefix'),
    limit: z
      .number()
      .int()
      .min(1)
      .max(1_000)
      .default(100)
      .describe('The most keys to return (default: 100)'),
  }),
  output: z.object({
    keys: z.array(z.object({ key: z.string(), expires_at: z.iso.datetime().optional() })),
    cursor: z.string().optional(),
  }),
  permission: 'ReadKV',
  effect: 'read',
  quotaCost: 1,
});
