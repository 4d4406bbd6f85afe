import { z } from 'zod';
import { defineTool } from './contract.ts';

/** Contract of `diagnostics_sleep`: hold a slot for a while. Probes queueing without AWS. */
export const diagnosticsSleep = defineTool({
  name: 'diagnostics_sleep',
  title: 'Sleep',
  description: 'Hold a slot for the given time. Probes queueing and concurrency caps',
  input: z.object({
    ms: z.number().int().min(0).max(600_000).describe('Milliseconds to hold the slot'),
  }),
  output: z.object({ slept: z.number().int() }),
  effect: 'read',
  quotaCost: 1,
});
