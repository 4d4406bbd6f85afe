/**
 * A call becomes an invocation and asks for admission.
 *
 * Either Redis has accepted it when this resolves, or the call is refused with a `Fault`. Where the
 * answer was lost, nobody knows: the invocation is then cancelled as soon as Redis answers again,
 * so that a client's retry does not run beside a ghost.
 */
import { createHash } from 'node:crypto';
import { Fault } from '../../shared/faults.ts';
import { keyedInvocationId, newInvocationId, type InvocationId } from '../../shared/ids.ts';
import type { Admission } from '../../shared/queue/admission.ts';
import type { InvocationQueue } from '../../shared/queue/invocation-queue.ts';
import type { Invocation } from '../../shared/queue/invocation.ts';
import type { Gate } from '../../shared/queue/redis.ts';
import type { RedisClock } from '../../shared/queue/redis-clock.ts';
import type { ToolContract } from '../../shared/tools/contract.ts';
import type { ToolCall } from './tool-call.ts';
import type { Turns } from './turns.ts';

export interface AdmitPorts {
  readonly queue: InvocationQueue;
  readonly gate: Gate;
  readonly clock: RedisClock;
  readonly turns: Turns;
  /** The reason not to take new work, if there is one. */
  readonly refusal: () => Fault | undefined;
  readonly replyChannel: string;
  /** The version of messages to write now. */
  readonly messageVersion: () => number;
  readonly callTimeoutMs: number;
  /** Milliseconds that a call may take whose client takes a task, and for which its result is kept. */
  readonly taskTimeoutMs: number;
  readonly taskTtlMs: number;
}

/** Below the second within which a client must hear a refusal, and below the connection's own limit. */
const admitWithinMs = 700;
/** Retries of a keyed call find the reply for a day; others only bridge a lost subscription. */
const keyedReplyTtlMs = 24 * 60 * 60 * 1_000;
const replyTtlMs = 20_000;

export function toInvocation(call: ToolCall, v: number): Invocation {
  const { principal, name, idempotencyKey, traceparent } = call;
  const { tenant, user } = principal;
  return {
    v,
    id:
      idempotencyKey === undefined
        ? newInvocationId()
        : keyedInvocationId(tenant.id, user.id, name, idempotencyKey),
    tenant: tenant.id,
    user: user.id,
    tool: name,
    arguments: call.arguments,
    progress: call.onProgress !== undefined,
    ...(call.client === undefined ? {} : { client: call.client }),
    ...(traceparent === undefined ? {} : { traceparent }),
  };
}

type Accepted = Exclude<Admission, { outcome: 'refused' }>;

/** @throws {Fault} with the reason of the refusal; `overloaded` if Redis does not answer in time. */
export async function admit(
  call: ToolCall,
  invocation: Invocation,
  contract: ToolContract,
  ports: AdmitPorts,
): Promise<Accepted> {
  return ports.turns.run(call.principal.tenant.id, () =>
    admitNow(call, invocation, contract, ports),
  );
}

async function admitNow(
  call: ToolCall,
  invocation: Invocation,
  contract: ToolContract,
  ports: AdmitPorts,
): Promise<Accepted> {
  const { queue, gate, clock, turns } = ports;
  const refusal = gate.isOpen ? ports.refusal() : overloaded('No connection to Redis');
  if (refusal) throw refusal;
  if (call.signal.aborted) throw new Fault('cancelled', 'The call was cancelled');

  const { tenant, user } = call.principal;
  const keyed = call.idempotencyKey !== undefined;
  const sentAt = Date.now();
  let admission: Admission;
  try {
    admission = await queue.admit({
      tenant,
      user,
      invocation,
      replyTo: ports.replyChannel,
      replyTtlMs: keyed ? keyedReplyTtlMs : call.task ? ports.taskTtlMs : replyTtlMs,
      fingerprint: keyed ? fingerprint(call.arguments) : '',
      admitBy: clock.now() + admitWithinMs,
      timeoutMs: contract.timeoutMs ?? (call.task ? ports.taskTimeoutMs : ports.callTimeoutMs),
      cost: contract.quotaCost,
    });
  } catch (cause) {
    if (!keyed) void layGhost(call, invocation.id, ports);
    const fault = overloaded('Redis did not answer in time', cause);
    // Those in line would hear the same, only later.
    turns.turnAway(fault);
    throw fault;
  }
  clock.observe(admission.now, sentAt);
  if (admission.outcome === 'refused') throw admission.fault;
  return admission;
}

/** Best effort: if this process dies as well, the invocation runs once and its reply is read by nobody. */
async function layGhost(call: ToolCall, id: InvocationId, ports: AdmitPorts): Promise<void> {
  try {
    await ports.gate.opened();
    await ports.queue.cancel(call.principal.tenant, id);
  } catch {
    // Redis went away again. The call ends at its deadline at the latest.
  }
}

/** Object keys in one order, so that the same arguments have the same digest however they were written. */
function fingerprint(input: unknown): string {
  const ordered = JSON.stringify(input, (_key, value: unknown) =>
    value !== null && typeof value === 'object' && !Array.isArray(value)
      ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
      : value,
  );
  return createHash('sha256').update(ordered).digest('base64url');
}

function overloaded(message: string, cause?: unknown): Fault {
  return new Fault('overloaded', message, { retryAfterMs: 1_000, cause });
}
