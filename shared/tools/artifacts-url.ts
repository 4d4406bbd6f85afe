import { z } from 'zod';
import { defineTool } from './contract.ts';
import { ItemKey } from './keys.ts';

/** S3 takes no more in one request. */
const maxBytes = 5 * 1024 ** 3;

/**
 * Contract of `artifacts_url`: a URL that reads or puts one artifact of any size, without a call.
 * It asks for both permissions, since it gives either.
 */
export const artifactsUrl = defineTool({
  name: 'artifacts_url',
  title: 'Get a URL for an artifact',
  description:
    'Get a URL to download an artifact, or to upload one with an HTTP PUT of exactly the given size and headers. For artifacts too large for artifacts_get and artifacts_put. Anyone who has the URL can use it until it expires',
  input: z
    .object({
      key: ItemKey.describe('The artifact key'),
      method: z.enum(['get', 'put']).describe('get to download, put to upload'),
      expires_seconds: z
        .number()
        .int()
        .min(1)
        .max(3_600)
        .default(900)
        .describe('How long the URL is valid at most (default: 900)'),
      content_type: z
        .string()
        .min(1)
        .max(255)
        .regex(/^[\x20-\x7e]+$/, 'must be printable ASCII')
        .default('application/octet-stream')
        .describe('For put: MIME type of the content'),
      bytes: z
        .number()
        .int()
        .min(0)
        .max(maxBytes)
        .optional()
        .describe('For put: exact size of the content. Counts against the limits at once'),
    })
    .refine(({ method, bytes }) => method === 'get' || bytes !== undefined, {
      path: ['bytes'],
      message: 'must be given for put',
    }),
  output: z.object({
    url: z.url(),
    method: z.enum(['GET', 'PUT']),
    headers: z.record(z.string(), z.string()).optional(),
    expires_at: z.iso.datetime(),
  }),
  permission: ['GetArtifacts', 'PutArtifacts'],
  effect: 'idempotent',
  destructive: true,
  quotaCost: 1,
});
