/** What is counted of each call, and what the line of its request says of it. */
import { performance } from 'node:perf_hooks';
import { Fault } from '../../../shared/faults.ts';
import type { Metrics } from '../../../shared/telemetry/metrics.ts';
import { isTask } from '../audit-calls.ts';
import type { CallTool } from '../tool-call.ts';
import { currentRequest } from './current-request.ts';

export interface CallMeters {
  observe(callTool: CallTool): CallTool;
  /** A call that never came so far, such as one to a tool that its caller does not have. */
  refused(reason: string): void;
  /** A whole request has been answered. */
  answered(status: number): void;
}

export function createCallMeters(metrics: Metrics): CallMeters {
  const calls = metrics.counter(
    'agent_mesh_calls_total',
    'Calls of tools by how they ended; fault is none if they did well',
    ['tool', 'fault'],
  );
  const refusals = metrics.counter(
    'agent_mesh_refusals_total',
    'Calls that were not accepted, by the fault that says why',
    ['reason'],
  );
  const responses = metrics.counter(
    'agent_mesh_http_responses_total',
    'Requests of the MCP endpoint by status; 499 if the client left first',
    ['status'],
  );
  const duration = metrics.histogram<'tool'>(
    'agent_mesh_call_duration_seconds',
    'From a call to its result, the wait in the queue included',
  );

  return {
    observe: (callTool) => async (call) => {
      const started = performance.now();
      const request = currentRequest();
      let accepted = false;
      const end = (fault: string | undefined, outcome: string): void => {
        const tool = fault === 'unknown_tool' ? 'unknown' : call.name;
        duration.record((performance.now() - started) / 1_000, { tool });
        calls.add({ tool, fault: fault ?? 'none' });
        if (!accepted) refusals.add({ reason: fault ?? 'none' });
        if (request) request.outcome = outcome;
      };
      try {
        const result = await callTool({
          ...call,
          onAdmitted(id) {
            accepted = true;
            if (request) request.invocation = id;
            call.onAdmitted?.(id);
          },
        });
        end(undefined, isTask(result) ? 'task' : 'completed');
        return result;
      } catch (thrown) {
        const { code } = Fault.from(thrown);
        end(code, code);
        throw thrown;
      }
    },
    refused(reason) {
      if (reason === 'unknown_tool') calls.add({ tool: 'unknown', fault: reason });
      refusals.add({ reason });
      const request = currentRequest();
      if (request) request.outcome = reason;
    },
    answered(status) {
      responses.add({ status: String(status) });
      if (status === 401) refusals.add({ reason: 'unauthenticated' });
    },
  };
}
