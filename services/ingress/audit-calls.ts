/** One audit entry for each call: who asked for what, whether it was allowed and by which rule not, how it ended. */
import { performance } from 'node:perf_hooks';
import type { Audit } from '../../shared/audit/audit.ts';
import { Fault } from '../../shared/faults.ts';
import type { InvocationId } from '../../shared/ids.ts';
import type { Principal } from '../../shared/tenants/tenant.ts';
import type { CallTool } from './tool-call.ts';

/** Arguments and results are never recorded. */
export function auditCalls(callTool: CallTool, audit: Pick<Audit, 'record'>): CallTool {
  return async (call) => {
    const { tenant, user, credential = 'none' } = call.principal;
    const started = performance.now();
    let invocation: InvocationId | undefined;
    const record = (failure: Fault | undefined, ending = 'completed'): void => {
      const ms = Math.round(performance.now() - started);
      const entry = {
        tenant,
        user: user.id,
        credential,
        action: 'tools/call' as const,
        subject: call.name,
        ms,
      };
      if (invocation !== undefined) {
        const outcome = failure?.code ?? ending;
        audit.record({ ...entry, decision: 'allowed', invocation, outcome });
      } else {
        audit.record({ ...entry, decision: 'refused', rule: failure?.code ?? 'internal' });
      }
    };
    try {
      const result = await callTool({ ...call, onAdmitted: (id) => (invocation = id) });
      record(undefined, isTask(result) ? 'task' : 'completed');
      return result;
    } catch (thrown) {
      record(Fault.from(thrown));
      throw thrown;
    }
  };
}

/** The call goes on, and its end is told to whoever asks for the task. */
export const isTask = (result: string): boolean => result.startsWith('{"resultType":"task"');

/** A call to a tool that is unknown or forbidden; which of the two, only a known name tells. */
export function auditForbidden(
  { tenant, user, credential = 'none' }: Principal,
  tool: string | undefined,
  audit: Pick<Audit, 'record'>,
): void {
  const who = { tenant, user: user.id, credential };
  const what = { action: 'tools/call' as const, subject: tool ?? 'unknown tool' };
  audit.record({ ...who, ...what, decision: 'refused', rule: 'unknown_tool' });
}

export function auditSuspended(
  { tenant, user, credential = 'none' }: Principal,
  audit: Pick<Audit, 'record'>,
): void {
  const who = { tenant, user: user.id, credential };
  audit.record({ ...who, action: 'tools/call', decision: 'refused', rule: 'tenant_suspended' });
}
