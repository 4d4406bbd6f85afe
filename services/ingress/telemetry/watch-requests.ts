/** Everything that is told of requests and calls, to be put around them where they are wired. */
import type { InvocationQueue } from '../../../shared/queue/invocation-queue.ts';
import type { Log } from '../../../shared/telemetry/log.ts';
import type { Telemetry } from '../../../shared/telemetry/otel.ts';
import { traceQueue } from '../../../shared/telemetry/trace-queue.ts';
import type { RequestRecord } from '../http.ts';
import type { CallTool } from '../tool-call.ts';
import { createCallMeters } from './observe-calls.ts';
import { traceCalls, traceRequest } from './trace-calls.ts';

export interface RequestWatch {
  calls(callTool: CallTool): CallTool;
  queue(queue: InvocationQueue): InvocationQueue;
  /** A call was refused before it came to `calls`. */
  refused(reason: string): void;
  /** A request has been answered: one line, and what is counted of it. */
  onRequest(record: RequestRecord): void;
}

export function watchRequests({ metrics, tracer }: Telemetry, log: Log): RequestWatch {
  const meters = createCallMeters(metrics);
  return {
    calls(callTool) {
      const metered = meters.observe(callTool);
      return tracer ? traceCalls(metered, tracer) : metered;
    },
    queue: (queue) => (tracer ? traceQueue(queue, tracer) : queue),
    refused: (reason) => meters.refused(reason),
    onRequest(record) {
      meters.answered(record.status);
      if (tracer) traceRequest(record, tracer);
      const { traceparent: _, ...line } = record;
      if (isOurs(record)) log.warn(line, 'request');
      else log.info(line, 'request');
    },
  };
}

/** Whether somebody here should look into it, rather than its caller. */
const isOurs = ({ status, outcome }: RequestRecord): boolean =>
  status >= 500 || outcome === 'internal' || outcome === 'outcome_unknown';
