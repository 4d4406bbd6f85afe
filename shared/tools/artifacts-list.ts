import { z } from 'zod';
import { defineTool } from './contract.ts';

/** Contract of `artifacts_list`: every key of the tenant that starts with the prefix, in UTF-8 order. */
export const artifactsList = defineTool({
  name: 'artifacts_list',
  title: 'List artifacts',
  description: 'List artifacts with optional prefix',
  input: z.object({
    prefix: z
      .string()
      .max(900)
      .optional()
      .describe('Only keys that start with this. Omit to list all'),
  }),
  output: z.object({ keys: z.array(z.string()) }),
  permission: 'ListArtifacts',
  effect: 'read',
  quotaCost: 1,
});
