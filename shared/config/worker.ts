/** Settings of a worker. */
import { z } from 'zod';
import { clusterSettings } from './cluster.ts';
import { integer, setting } from './setting.ts';

export const workerSettings = {
  ...clusterSettings,
  slots: setting({
    env: 'WORKER_SLOTS',
    schema: integer(1, 4_096).default(64),
    doc: 'Invocations that one worker runs at once.',
  }),
  drainMs: setting({
    env: 'WORKER_DRAIN_MS',
    schema: integer(0, 600_000).default(25_000),
    doc: 'Milliseconds to finish running invocations after SIGTERM. Keep below terminationGracePeriodSeconds.',
  }),
  deadLetterQueue: setting({
    env: 'AGENT_MESH_DEAD_LETTER_QUEUE_URL',
    schema: z.url().optional(),
    doc: 'SQS queue that gets a redacted copy of every dead letter. Absent: they are in Redis alone.',
  }),
};
