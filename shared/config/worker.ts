/** Settings of a worker. */
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
};
