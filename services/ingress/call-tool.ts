/**
 * One `tools/call`, in the order it happens:
 * find the tool, check the arguments, admit, await the reply.
 *
 * Knows nothing of MCP or HTTP. Resolves with the tool's result; everything else is a `Fault`.
 */
import { z } from 'zod';
import { Fault } from '../../shared/faults.ts';
import {
  decodeReply,
  type Invocation,
  type Notice,
  type Reply,
} from '../../shared/queue/invocation.ts';
import { isNotice, type Expectation, type Replies } from '../../shared/queue/replies.ts';
import { mayUse } from '../../shared/tenants/tenant.ts';
import type { ToolContract } from '../../shared/tools/contract.ts';
import { admit, toInvocation, type AdmitPorts } from './admit.ts';
import { unknownTool } from './respond.ts';
import { tellWaiting, type FindPlace, type Telling } from './tell-waiting.ts';
import type { CallTool, ToolCall } from './tool-call.ts';

export interface CallToolPorts extends AdmitPorts {
  readonly catalog: ReadonlyMap<string, ToolContract>;
  readonly replies: Replies;
  readonly findPlace: FindPlace;
  /** Makes a call a task; resolves with the result that tells the client so. */
  readonly detach: (call: ToolCall, id: Invocation['id']) => Promise<string>;
}

/** A sweep ends a call at its deadline; only if Redis has lost the call, nothing comes in this time. */
const graceMs = 2_000;

export function createCallTool(ports: CallToolPorts): CallTool {
  return async (call) => {
    const contract = findTool(call, ports.catalog);
    checkArguments(call, contract);
    const invocation = toInvocation(call, ports.messageVersion());
    const { tenant } = call.principal;
    const telling =
      call.onProgress &&
      tellWaiting({ tenant, id: invocation.id }, call.onProgress, ports.findPlace);
    const expectation = ports.replies.expect(tenant.shard, invocation.id, hear(call, telling));
    try {
      const admission = await admit(call, invocation, contract, ports);
      call.onAdmitted?.(invocation.id);
      if (admission.outcome === 'replied') return toResult(stored(admission.reply));
      if (call.task?.afterMs === 0) return await ports.detach(call, invocation.id);
      telling?.start();
      // In whole seconds: timers of one length share one list.
      const waitMs = Math.ceil((admission.deadline - admission.now + graceMs) / 1_000) * 1_000;
      return await awaitResult(call, invocation, expectation, waitMs, ports);
    } finally {
      telling?.stop();
      expectation.stop();
    }
  };
}

function hear(
  { onLog }: ToolCall,
  telling: Telling | undefined,
): ((notice: Notice) => void) | undefined {
  if (!telling && !onLog) return undefined;
  return (notice) => (notice.status === 'progress' ? telling?.hear(notice) : onLog?.(notice));
}

/** A tool that the principal may not use does not exist for it; arguments are looked at only after. */
function findTool(call: ToolCall, catalog: ReadonlyMap<string, ToolContract>): ToolContract {
  const contract = catalog.get(call.name);
  if (!contract || !mayUse(call.principal, contract.permission)) throw unknownTool(call.name);
  return contract;
}

function checkArguments(call: ToolCall, contract: ToolContract): void {
  const parsed = contract.input.safeParse(call.arguments);
  if (!parsed.success) throw new Fault('invalid_arguments', z.prettifyError(parsed.error));
}

async function awaitResult(
  call: ToolCall,
  { id }: Invocation,
  expectation: Expectation,
  waitMs: number,
  ports: CallToolPorts,
): Promise<string> {
  type Interruption = 'late' | 'left' | 'long';
  const { promise: interrupted, resolve: interrupt } = Promise.withResolvers<Interruption>();
  const { afterMs = Infinity } = call.task ?? {};
  const timer =
    afterMs < waitMs
      ? setTimeout(() => interrupt('long'), afterMs)
      : setTimeout(() => interrupt('late'), waitMs);
  const leave = (): void => interrupt('left');
  call.signal.addEventListener('abort', leave, { once: true });
  if (call.signal.aborted) leave();
  try {
    const first = await Promise.race([expectation.reply, interrupted]);
    if (first === 'left') return await abandon(call, id, ports);
    if (first === 'long') return await ports.detach(call, id);
    if (first === 'late') return toResult(await lastLook(expectation));
    return toResult(first);
  } finally {
    clearTimeout(timer);
    call.signal.removeEventListener('abort', leave);
  }
}

/** The client stopped waiting. A keyed call goes on, or its retry would attach to a dying run. */
async function abandon(call: ToolCall, id: Invocation['id'], ports: CallToolPorts): Promise<never> {
  if (call.idempotencyKey === undefined) {
    // Without Redis it runs on, to its end or its deadline.
    await ports.queue.cancel(call.principal.tenant, id).catch(() => undefined);
  }
  throw new Fault('cancelled', 'The call was cancelled');
}

async function lastLook(expectation: Expectation): Promise<Reply> {
  const reply = await expectation.read().catch(() => undefined);
  if (reply) return reply;
  throw new Fault(
    'outcome_unknown',
    'No reply came by the deadline, and none is stored. The call may or may not have run; check before calling again.',
  );
}

function stored(text: string): Reply {
  const reply = decodeReply(text);
  if (isNotice(reply)) throw new Fault('internal', 'Internal error');
  return reply;
}

/** @throws {Fault} unless the call completed. */
export function toResult(reply: Reply): string {
  switch (reply.status) {
    case 'completed':
      return reply.result;
    case 'faulted':
      throw Fault.fromRecord(reply.fault);
    case 'cancelled':
      throw new Fault('cancelled', 'The call was cancelled');
    case 'expired':
      throw reply.begun
        ? new Fault(
            'outcome_unknown',
            'The call was interrupted after it had begun, and its time ran out. Check before calling again.',
          )
        : new Fault(
            'timed_out',
            'The call did not finish in the time it had, waiting in the queue included. It may be tried again.',
          );
  }
}
