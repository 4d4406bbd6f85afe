import { z } from 'zod';
import { InvocationId } from '../ids.ts';
import { defineTool } from './contract.ts';

/** Contract of `dead_letters_replay`: run such calls again. A letter goes as its call is accepted, so that none runs twice. */
export const deadLettersReplay = defineTool({
  name: 'dead_letters_replay',
  title: 'Replay dead letters',
  description:
    'Run failed calls again, with their original arguments and idempotency keys. If the outcome of a call is unknown, its effect may happen a second time',
  input: z.object({
    ids: z.array(InvocationId).min(1).max(100).describe('Ids from dead_letters_list'),
  }),
  output: z.object({
    replayed: z.array(z.string()),
    refused: z.array(z.object({ id: z.string(), reason: z.string() })),
  }),
  permission: 'ManageDeadLetters',
  effect: 'idempotent',
  destructive: true,
  quotaCost: 1,
});
