import { z } from 'zod';
import { defineTool } from './contract.ts';
import { ItemKey } from './keys.ts';

/** Contract of `kv_get`: one value, or null if there is none or it has expired. */
export const kvGet = defineTool({
  name: 'kv_get',
  title: 'Get a value',
  description: 'Get a value from the key-value store',
  input: z.object({ key: ItemKey.describe('The key to retrieve') }),
  output: z.object({ value: z.string().nullable() }),
  permission: 'ReadKV',
  effect: 'read',
  quotaCost: 1,
});
