/** From a held lease to its settlement: how the call ended, as a reply, and why, for the log. */
import { Fault } from '../../shared/faults.ts';
import type { Reply } from '../../shared/queue/invocation.ts';
import type { Lease } from '../../shared/queue/lease.ts';
import { Stopped, type HeldLease, type StopReason } from './held-lease.ts';
import type { Tool, ToolContext } from './implement.ts';

/** `reply` is absent if the call is to go back to the queue, because this worker may not end it. */
export interface Settlement {
  readonly reply: Reply | undefined;
  /** What an `internal` fault hides from the client. */
  readonly cause?: unknown;
}

export interface RunPorts {
  findTool(name: string): Tool | undefined;
  begin(lease: Lease): Promise<'begun' | 'lost' | 'unknown'>;
  createContext(held: HeldLease): ToolContext;
}

export async function runInvocation(held: HeldLease, ports: RunPorts): Promise<Settlement> {
  const { lease, signal } = held;
  const { id, invocation } = lease;
  if (!invocation) return faulted(lease, new Fault('internal', 'Internal error'), 'unreadable');
  if (lease.begun) return faulted(lease, unknownOutcome());
  if (lease.cancelled) return { reply: { id, status: 'cancelled' } };
  if (lease.remainingMs <= 0) return { reply: { id, status: 'expired', begun: false } };

  const tool = ports.findTool(invocation.tool);
  if (!tool) return faulted(lease, new Fault('internal', 'Internal error'), 'no such tool here');
  const once = tool.contract.effect === 'once';
  let begun = false;
  try {
    held.assertHeld();
    if (once) {
      const answer = await ports.begin(lease);
      if (answer === 'lost') return { reply: undefined };
      if (answer === 'unknown') return faulted(lease, unknownOutcome());
      begun = true;
    }
    const result = await tool.run(invocation.arguments, ports.createContext(held));
    return { reply: { id, status: 'completed', result } };
  } catch (thrown) {
    if (signal.aborted && signal.reason instanceof Stopped) {
      return stopped(lease, signal.reason.reason, begun);
    }
    const fault = Fault.from(thrown);
    return faulted(lease, fault, fault.code === 'internal' ? (fault.cause ?? fault) : undefined);
  } finally {
    held.close();
  }
}

function stopped(lease: Lease, reason: StopReason, begun: boolean): Settlement {
  if (reason === 'cancelled') return { reply: { id: lease.id, status: 'cancelled' } };
  if (begun) return faulted(lease, unknownOutcome());
  if (reason === 'timed_out') return { reply: { id: lease.id, status: 'expired', begun: false } };
  return { reply: undefined };
}

function faulted({ id }: Lease, fault: Fault, cause?: unknown): Settlement {
  return { reply: { id, status: 'faulted', fault: fault.toRecord() }, cause };
}

function unknownOutcome(): Fault {
  return new Fault(
    'outcome_unknown',
    'The call was interrupted after it had begun. Its effect may or may not have happened; it was not repeated. Check before calling again.',
  );
}
