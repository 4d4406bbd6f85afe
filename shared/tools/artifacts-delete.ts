import { z } from 'zod';
import { defineTool } from './contract.ts';
import { ItemKey } from './keys.ts';

/** Contract of `artifacts_delete`: remove one artifact; nothing to remove is no failure. */
export const artifactsDelete = defineTool({
  name: 'artifacts_delete',
  title: 'Delete an artifact',
  description: 'Delete an artifact by key',
  input: z.object({ key: ItemKey.describe('The artifact key') }),
  output: z.object({ deleted: z.boolean() }),
  permission: 'DeleteArtifacts',
  effect: 'idempotent',
  destructive: true,
  quotaCost: 1,
});
