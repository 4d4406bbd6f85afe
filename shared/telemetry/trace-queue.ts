/** Spans of the queue's transitions that are part of a call: its admission and its settlement. */
import { SpanKind, type Tracer } from '@opentelemetry/api';
import type { InvocationQueue } from '../queue/invocation-queue.ts';
import { contextOf, inSpan, isRecorded, setFailure } from './spans.ts';

export function traceQueue(queue: InvocationQueue, tracer: Tracer): InvocationQueue {
  return {
    ...queue,

    async admit(request) {
      const { id, tenant, traceparent } = request.invocation;
      if (!isRecorded(traceparent)) return queue.admit(request);
      const attributes = { 'agent_mesh.tenant': tenant, 'agent_mesh.invocation': id };
      const parent = contextOf(traceparent);
      const piece = { name: 'admit', kind: SpanKind.PRODUCER, parent, attributes };
      return inSpan(tracer, piece, async (span) => {
        const admission = await queue.admit(request);
        span.setAttribute('agent_mesh.admission', admission.outcome);
        if (admission.outcome === 'refused') setFailure(span, admission.fault.code);
        return admission;
      });
    },

    async settle(lease, reply, ...rest) {
      const traceparent = lease.invocation?.traceparent;
      if (!isRecorded(traceparent)) return queue.settle(lease, reply, ...rest);
      const attributes = { 'agent_mesh.tenant': lease.tenant, 'agent_mesh.invocation': lease.id };
      const parent = contextOf(traceparent);
      return inSpan(tracer, { name: 'settle', parent, attributes }, async (span) => {
        const settlement = await queue.settle(lease, reply, ...rest);
        if (!settlement.settled) setFailure(span, 'lease_lost');
        return settlement;
      });
    },
  };
}
