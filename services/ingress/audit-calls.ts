/** One audit entry for each call: who asked for what, whether it was allowed and by which rule not, how it ended. */
import { performance } from 'node:perf_hooks';
import type { Audit } from '../../shared/audit/audit.ts';
import { Fault } from '../../shared/faults.ts';
import type { InvocationId } from '../../shared/ids.ts';
import type { CallTool } from './tool-call.ts';

/** Arguments and results are never recorded. */
export function auditCalls(callTool: CallTool, audit: Pick<Audit, 'record'>): CallTool {
  return async (call) => {
    const { tenant, user, credential = 'none' } = call.principal;
    const started = performance.now();
    let invocation: InvocationId | undefined;
    const record = (failure: Fault | undefined): void => {
      const ms = Math.round(performance.now() - started);
      const entry = { tenant, user: user.id, credential, action: 'tools/call', subject: call.name, ms };
      if (invocation !== undefined) {
        const outcome = failure?.code ?? 'completed';
        audit.record({ ...entry, decision: 'allowed', invocation, outcome });
      } else {
        audit.record({ ...entry, decision: 'refused', rule: failure?.code ?? 'internal' });
      }
    };
    try {
      const result = await callTool({ ...call, onAdmitted: (id) => (invocation = id) });
      record(undefined);
      return result;
    } catch (thrown) {
      record(Fault.from(thrown));
      throw thrown;
    }
  };
}
