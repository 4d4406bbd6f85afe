import { z } from 'zod';
import { defineTool } from './contract.ts';

/** Contract of `diagnostics_echo`: the text it was given, from a worker. Probes the path without AWS. */
export const diagnosticsEcho = defineTool({
  name: 'diagnostics_echo',
  title: 'Echo',
  description: 'Return the text it was given. Probes the path to a worker and back',
  input: z.object({ text: z.string().max(1_048_576).describe('The text to return') }),
  output: z.object({ text: z.string() }),
  effect: 'read',
  quotaCost: 1,
});
