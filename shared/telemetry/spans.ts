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
  const [, traceId, spanId, flags] = traceparent?.split('-') ?? [];
  if (traceId === undefined || spanId === undefined) return ROOT_CONTEXT;
  const sampled = Number.parseInt(flags ?? '', 16) & TraceFlags.SAMPLED;
  const spanContext = { traceId, spanId, traceFlags: sampled, isRemote: true };
  return isSpanContextValid(spanContext)
    ? trace.setSpanContext(ROOT_CONTEXT, spanContext)
    : ROOT_CONTEXT;
}

export function traceparentOf(span: Span): string {
  const { traceId, spanId, traceFlags } = span.spanContext();
  return `00-${traceId}-${spanId}-0${traceFlags & TraceFlags.SAMPLED}`;
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

/** Runs the work inside a span, active meanwhile. A span that nobody records costs no more than its start. */
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

/** Texts of errors stay out: they may hold what a caller wanted to be kept secret. */
export function setFault(span: Span, code: string): void {
  span.setAttributes({ 'error.type': code, 'agent_mesh.fault': code });
  span.setStatus({ code: SpanStatusCode.ERROR, message: code });
}
