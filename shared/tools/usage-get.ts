import { z } from 'zod';
import { defineTool } from './contract.ts';

const measure = z.object({ used: z.number().int(), limit: z.number().int() });

/** Contract of `usage_get`: what the tenant holds against its limits. Tells no key, so everyone may ask. */
export const usageGet = defineTool({
  name: 'usage_get',
  title: 'Get storage usage',
  description:
    'Get how much the key-value store and the artifacts hold, calls under way included, and the limits',
  input: z.object({}),
  output: z.object({ kv_bytes: measure, artifacts: measure, artifact_bytes: measure }),
  effect: 'read',
  quotaCost: 1,
});
