/** From a held lease to its settlement: how the call ended, as a reply, and why, for the log. */
import { Fault } from '../../shared/faults.ts';
import type { Reply } from '../../shared/queue/invocation.ts';
import type { Obituary } from '../../shared/queue/invocation-queue.ts';
import type { Lease } from '../../shared/queue/lease.ts';
import { Stopped, type HeldLease, type StopReason } from './held-lease.ts';
import type { Tool, ToolContext } from './implement.ts';
import { retryTransient } from './retry-transient.ts';

/** `reply` is absent if the call is to go back to the queue, because this worker may not end it. */
export interface Settlement {
  readonly reply: Reply | undefined;
  /** What an `internal` fault hides from the client. */
  readonly cause?: unknown;
  /** Present if the call failed for reasons that are not its caller's: it becomes a dead letter. */
  readonly obituary?: Obituary;
}

export interface RunPorts {
  findTool(name: string): Tool | undefined;
  /** @throws {Fault} if it could not be marked: then nothing has begun. */
  begin(held: HeldLease): Promise<'begun' | 'lost' | 'unknown'>;
  createContext(held: HeldLease): ToolContext;
}

export async function runInvocation(held: HeldLease, ports: RunPorts): Promise<Settlement> {
  const { lease, signal } = held;
  const { id, invocation } = lease;
  if (lease.foreign) return { reply: undefined };
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
      // What fails here has not begun, so that it may be tried again.
      const answer = await retryTransient(held, () => ports.begin(held));
      if (answer === 'lost') return { reply: undefined };
      if (answer === 'unknown') return faulted(lease, unknownOutcome());
      begun = true;
    }
    const attempt = (again: HeldLease): Promise<string> =>
      tool.run(invocation.arguments, ports.createContext(again));
    const result = await (once ? attempt(held) : retryTransient(held, attempt));
    return { reply: { id, status: 'completed', result } };
  } catch (thrown) {
    if (signal.aborted && signal.reason instanceof Stopped) {
      return stopped(lease, signal.reason.reason, begun);
    }
    const fault = Fault.from(thrown);
    return faulted(lease, fault, fault.cause ?? (fault.code === 'internal' ? fault : undefined));
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
  const reply = { id, status: 'faulted' as const, fault: fault.toRecord() };
  return {
    reply,
    // Anybody else's cause is no news for the log.
    cause: fault.code === 'internal' ? cause : undefined,
    ...(isOurs(fault, cause) ? { obituary: toObituary(fault, cause) } : {}),
  };
}

/** Whether the caller could not have done better: a bug, a crash, or a store that failed to the end. */
function isOurs({ code }: Fault, cause: unknown): boolean {
  return (
    code === 'internal' ||
    code === 'outcome_unknown' ||
    (code === 'tool_failed' && cause !== undefined)
  );
}

function toObituary({ code, message }: Fault, cause: unknown): Obituary {
  if (cause === undefined) return { code, message };
  return { code, message, cause: describeCause(cause) };
}

/** Names, never texts: what a library says of its input may hold what a caller wanted to be kept secret. */
function describeCause(cause: unknown): string {
  if (typeof cause === 'string') return cause;
  if (!(cause instanceof Error)) return typeof cause;
  const at = /\n\s+at (?:.*\/)?([\w.-]+:\d+)/.exec(cause.stack ?? '')?.[1];
  const name = at === undefined ? cause.name : `${cause.name} at ${at}`;
  return cause.cause instanceof Error ? `${name}, from ${cause.cause.name}` : name;
}

function unknownOutcome(): Fault {
  return new Fault(
    'outcome_unknown',
    'The call was interrupted after it had begun. Its effect may or may not have happened; it was not repeated. Check before calling again.',
  );
}
