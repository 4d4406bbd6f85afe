/** What is counted of each run of a call. */
import { performance } from 'node:perf_hooks';
import type { Interceptor } from '../../../shared/telemetry/intercept.ts';
import type { Metrics } from '../../../shared/telemetry/metrics.ts';
import type { HeldLease } from '../held-lease.ts';
import type { Settlement } from '../run-invocation.ts';

/** `isTool`: names besides the known ones are no labels, whatever a message says. */
export function observeRuns(
  metrics: Metrics,
  isTool: (name: string) => boolean,
): Interceptor<HeldLease, Settlement> {
  const runs = metrics.counter(
    'agent_mesh_runs_total',
    'Runs of calls by how they ended; more than one for a call whose worker died',
    ['tool', 'outcome'],
  );
  const wait = metrics.histogram<'tool'>(
    'agent_mesh_queue_wait_seconds',
    'From the admission of a call to its first grant',
  );
  const duration = metrics.histogram<'tool'>(
    'agent_mesh_run_duration_seconds',
    'From the grant of a lease to its settlement',
  );

  return (next) => async (held) => {
    const { invocation, attempt, waitedMs } = held.lease;
    const tool = invocation && isTool(invocation.tool) ? invocation.tool : 'unknown';
    if (attempt === 1) wait.record(waitedMs / 1_000, { tool });
    const started = performance.now();
    const settlement = await next(held);
    duration.record((performance.now() - started) / 1_000, { tool });
    runs.add({ tool, outcome: outcomeOf(settlement) });
    return settlement;
  };
}

/** A fault's code, or the status of the reply. */
export function outcomeOf({ reply }: Settlement): string {
  return reply?.status === 'faulted' ? reply.fault.code : (reply?.status ?? 'handed back');
}
