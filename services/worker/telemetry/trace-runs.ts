/** The spans of a call behind the queue: its wait, told at its end, and each run. */
import { SpanKind, type Tracer } from '@opentelemetry/api';
import type { Interceptor } from '../../../shared/telemetry/intercept.ts';
import { contextOf, inSpan, isRecorded, setFailure } from '../../../shared/telemetry/spans.ts';
import type { HeldLease } from '../held-lease.ts';
import type { Settlement } from '../run-invocation.ts';
import { outcomeOf } from './observe-runs.ts';

export function traceRuns(tracer: Tracer, worker: string): Interceptor<HeldLease, Settlement> {
  return (next) => async (held) => {
    const { id, tenant, invocation, attempt, waitedMs } = held.lease;
    if (!isRecorded(invocation?.traceparent)) return next(held);
    const parent = contextOf(invocation?.traceparent);
    const attributes = {
      'agent_mesh.tenant': tenant,
      'agent_mesh.invocation': id,
      'agent_mesh.attempt': attempt,
      'agent_mesh.worker': worker,
      'agent_mesh.queue_wait_ms': waitedMs,
      'gen_ai.operation.name': 'execute_tool',
      'gen_ai.tool.name': invocation?.tool ?? 'unknown',
    };
    const granted = Date.now();
    // Ended here, so that a worker that dies leaves word of the attempt that it had begun.
    tracer
      .startSpan('wait in queue', { startTime: granted - waitedMs, attributes }, parent)
      .end(granted);
    const name = `run ${invocation?.tool ?? 'unknown'}`;
    return inSpan(tracer, { name, kind: SpanKind.CONSUMER, parent, attributes }, async (span) => {
      const settlement = await next(held);
      const outcome = outcomeOf(settlement);
      if (outcome !== 'completed') setFailure(span, outcome);
      return settlement;
    });
  };
}
