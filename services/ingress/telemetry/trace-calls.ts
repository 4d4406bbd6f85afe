/**
 * The first span of a trace that is ours: one for each request of a client, below the span that the
 * client names. What is behind the queue hangs on it, since its context travels in the invocation.
 */
import { SpanKind, type Tracer } from '@opentelemetry/api';
import { Fault } from '../../../shared/faults.ts';
import { contextOf, inSpan, setFailure, traceparentOf } from '../../../shared/telemetry/spans.ts';
import type { RequestRecord } from '../http.ts';
import type { CallTool } from '../tool-call.ts';
import { currentRequest } from './current-request.ts';

export function traceCalls(callTool: CallTool, tracer: Tracer): CallTool {
  return async (call) => {
    const request = currentRequest();
    const method = request?.method ?? 'tools/call';
    const piece = {
      name: `${method} ${call.name}`,
      kind: SpanKind.SERVER,
      parent: contextOf(call.traceparent ?? request?.traceparent),
      attributes: {
        'mcp.method.name': method,
        'gen_ai.operation.name': 'execute_tool',
        'gen_ai.tool.name': call.name,
        'agent_mesh.tenant': call.principal.tenant.id,
      },
    };
    return inSpan(tracer, piece, async (span) => {
      const { traceId, spanId } = span.spanContext();
      if (request) Object.assign(request, { trace_id: traceId, span_id: spanId });
      try {
        return await callTool({
          ...call,
          traceparent: traceparentOf(span),
          onAdmitted(id) {
            span.setAttribute('agent_mesh.invocation', id);
            call.onAdmitted?.(id);
          },
        });
      } catch (thrown) {
        setFailure(span, Fault.from(thrown).code);
        throw thrown;
      }
    });
  };
}

/** A request that never became a call: told when it is over, with the reason if it was refused. */
export function traceRequest(record: RequestRecord, tracer: Tracer): void {
  if (record.trace_id !== undefined) return;
  const { method = 'unknown', tool, tenant, status, outcome } = record;
  const span = tracer.startSpan(
    tool === undefined ? method : `${method} ${tool}`,
    {
      kind: SpanKind.SERVER,
      startTime: Date.now() - record.ms,
      attributes: {
        'mcp.method.name': method,
        'http.response.status_code': status,
        ...(tool !== undefined && { 'gen_ai.tool.name': tool }),
        ...(tenant !== undefined && { 'agent_mesh.tenant': tenant }),
      },
    },
    contextOf(record.traceparent),
  );
  const failure = outcome ?? (status >= 400 ? String(status) : undefined);
  if (failure !== undefined) setFailure(span, failure);
  span.end();
  Object.assign(record, {
    trace_id: span.spanContext().traceId,
    span_id: span.spanContext().spanId,
  });
}
