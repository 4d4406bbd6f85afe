import { z } from 'zod';
import { defineTool } from './contract.ts';

/** EventBridge refuses entries over 256 KB, envelope included. */
const maxDetailBytes = 256 * 1024 - 2_048;

/** Contract of `events_send`: publish one event with the tenant's context. */
export const eventsSend = defineTool({
  name: 'events_send',
  title: 'Send an event',
  description: 'Send an event',
  input: z.object({
    detailType: z.string().min(1).max(128).describe('What happened, for rules to match on'),
    detail: z
      .record(z.string(), z.json())
      .refine(
        (detail) => new TextEncoder().encode(JSON.stringify(detail)).length <= maxDetailBytes,
        `must be at most ${maxDetailBytes} bytes as JSON`,
      )
      .describe('The event itself, as a JSON object'),
  }),
  output: z.object({ success: z.literal(true) }),
  permission: 'SendEvents',
  effect: 'once',
  quotaCost: 1,
});
