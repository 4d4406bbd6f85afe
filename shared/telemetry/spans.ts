/** Spans around pieces of work, and trace contexts as the one line in which they travel. */
import {
  context,
  isSpanContextValid,
  ROOT_CONTEXT,
  SpanStatusCode,
  trace,
  TraceFlags,
  type Context,
  type Span,
  type SpanOptions,
  type Tracer,
} from '@opentelemetry/api';

/** The context of a W3C `traceparent`, whose form has been checked; nothing above it without one. */
export function contextOf(traceparent: string | undefined): Context {
  const [, traceId = '', spanId = '', flags = ''] = traceparent?.split('-') ?? [];
  const traceFlags = Number.parseInt(flags, 16) & TraceFlags.SAMPLED;
  const spanContext = { traceId, spanId, traceFlags, isRemote: true };
  if (!isSpanContextValid(spanContext)) return ROOT_CONTEXT;
  return trace.setSpanContext(ROOT_CONTEXT, spanContext);
}

export function traceparentOf(span: Span): string {
  const { traceId, spanId, traceFlags } = span.spanContext();
  return `00-${traceId}-${spanId}-0${traceFlags & TraceFlags.SAMPLED}`;
}

/** What the ingress does not record, nobody behind it does: then there is no span even to be dropped. */
export function isRecorded(traceparent: string | undefined): boolean {
  return traceparent === undefined || traceparent.endsWith('1');
}

/** For log lines: empty without a trace. */
export function traceFields(): { readonly trace_id?: string; readonly span_id?: string } {
  const active = trace.getActiveSpan()?.spanContext();
  return active ? { trace_id: active.traceId, span_id: active.spanId } : {};
}

export interface Piece extends SpanOptions {
  readonly name: string;
  readonly parent: Context;
}

/** Runs the work inside a span, which is the active one meanwhile. */
export async function inSpan<Result>(
  tracer: Tracer,
  { name, parent, ...options }: Piece,
  work: (span: Span) => Promise<Result>,
): Promise<Result> {
  const span = tracer.startSpan(name, options, parent);
  try {
    return await context.with(trace.setSpan(parent, span), work, undefined, span);
  } finally {
    span.end();
  }
}

/** Codes and names alone: texts of errors may hold what a caller wanted to be kept secret. */
export function setFailure(span: Span, code: string): void {
  span.setAttribute('error.type', code);
  span.setStatus({ code: SpanStatusCode.ERROR, message: code });
}
