import { z } from 'zod';
import { defineTool } from './contract.ts';
import { ItemKey } from './keys.ts';

/** The most an artifact may hold to travel inside a call, in either direction, decoded. */
export const maxInlineArtifactBytes = 2 * 1024 * 1024;

/** Contract of `artifacts_put`: store one artifact whole, replacing what was there. */
export const artifactsPut = defineTool({
  name: 'artifacts_put',
  title: 'Store an artifact',
  description: 'Store an artifact',
  input: z.object({
    key: ItemKey.describe('The artifact key'),
    content: z.base64().describe('Content of the artifact (base64 encoded), at most 2 MiB decoded'),
    content_type: z
      .string()
      .min(1)
      .max(255)
      .regex(/^[\x20-\x7e]+$/, 'must be printable ASCII')
      .default('text/plain')
      .describe('MIME type of the content (default: text/plain)'),
  }),
  output: z.object({ success: z.literal(true) }),
  permission: 'PutArtifacts',
  effect: 'idempotent',
  destructive: true,
  quotaCost: 1,
});
