import { z } from 'zod';
import { FaultCode } from '../faults.ts';
import { defineTool } from './contract.ts';

/** Contract of `dead_letters_list`: the tenant's calls that failed for reasons which are not their caller's. */
export const deadLettersList = defineTool({
  name: 'dead_letters_list',
  title: 'List dead letters',
  description:
    'List calls that failed without their caller’s fault: interrupted, given up, or stopped by an internal error. Newest first, sensitive arguments withheld',
  input: z.object({
    tool: z.string().max(128).optional().describe('Only calls of this tool'),
    code: FaultCode.optional().describe('Only calls that failed with this code'),
    limit: z.number().int().min(1).max(100).default(20).describe('At most so many (default: 20)'),
  }),
  output: z.object({
    dead_letters: z.array(
      z.object({
        id: z.string(),
        failed_at: z.iso.datetime(),
        code: z.string(),
        message: z.string(),
        attempts: z.number(),
        tool: z.string().optional(),
        user: z.string().optional(),
        arguments: z.string().optional(),
        trace_id: z.string().optional(),
      }),
    ),
    total: z.number(),
  }),
  permission: 'ManageDeadLetters',
  effect: 'read',
  quotaCost: 1,
});
