import { z } from 'zod';
import { defineTool } from './contract.ts';
import { ItemKey } from './keys.ts';

/** Contract of `artifacts_get`: one artifact as base64, or null content if there is none. */
export const artifactsGet = defineTool({
  name: 'artifacts_get',
  title: 'Get an artifact',
  description: 'Get an artifact by key',
  input: z.object({ key: ItemKey.describe('The artifact key') }),
  output: z.object({
    content: z.base64().nullable(),
    encoding: z.literal('base64').optional(),
  }),
  permission: 'GetArtifacts',
  effect: 'read',
  quotaCost: 1,
});
