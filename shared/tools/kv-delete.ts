import { z } from 'zod';
import { defineTool } from './contract.ts';
import { ItemKey } from './keys.ts';

/** Contract of `kv_delete`: remove one value; nothing to remove is no failure. */
export const kvDelete = defineTool({
  name: 'kv_delete',
  title: 'Delete a value',
  description: 'Delete a value from the key-value store',
  input: z.object({ key: ItemKey.describe('The key to delete') }),
  output: z.object({ deleted: z.boolean() }),
  permission: 'DeleteKV',
  effect: 'idempotent',
  destructive: true,
  quotaCost: 1,
});
