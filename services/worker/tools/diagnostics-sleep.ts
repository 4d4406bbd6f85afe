import { setTimeout } from 'node:timers/promises';
import { diagnosticsSleep } from '../../../shared/tools/diagnostics-sleep.ts';
import { implement } from '../implement.ts';

/** Handler of `diagnostics_sleep`. Rejects with the signal's reason as soon as it aborts. */
export const sleep = implement(diagnosticsSleep, async ({ ms }, { signal }) => {
  await setTimeout(ms, undefined, { signal }).catch((error: unknown) => {
    signal.throwIfAborted();
    throw error;
  });
  return { slept: ms };
});
