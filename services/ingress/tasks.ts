/**
 * The tasks extension: a call that goes on without its client, who asks for it later, at any
 * ingress. A task is an invocation; what is added is a record of whose it is. Another user's task
 * is one that does not exist.
 */
import { ProtocolError, ProtocolErrorCode } from '@modelcontextprotocol/server';
import { z } from 'zod';
import { Fault } from '../../shared/faults.ts';
import { keyedInvocationId, type InvocationId } from '../../shared/ids.ts';
import type { Reply } from '../../shared/queue/invocation.ts';
import type { Task, TaskStore, Work } from '../../shared/tasks/task-store.ts';
import type { Principal } from '../../shared/tenants/tenant.ts';
import type { ToolContract } from '../../shared/tools/contract.ts';
import { admit, type AdmitPorts } from './admit.ts';
import { toResult } from './call-tool.ts';
import type { Result } from './converse.ts';
import { toToolResult } from './respond.ts';

export interface TasksPorts {
  readonly store: TaskStore;
  readonly admission: AdmitPorts;
  readonly catalog: ReadonlyMap<string, ToolContract>;
}

/** Each throws a `ProtocolError` for a task that the principal does not have. */
export interface Tasks {
  /** The task as `tasks/get` answers. */
  get(principal: Principal, id: string): Promise<Result>;
  /** Takes answers; the call goes on once all are there. */
  update(
    principal: Principal,
    id: string,
    answers: Readonly<Record<string, unknown>>,
  ): Promise<void>;
  cancel(principal: Principal, id: string): Promise<void>;
}

const Asks = z.object({
  resultType: z.literal('input_required'),
  inputRequests: z.record(z.string(), z.unknown()).default({}),
  requestState: z.string().optional(),
});
type Asks = z.output<typeof Asks>;

/** How often a client should ask, in ms. */
const pollIntervalMs = 1_000;

export function createTasks({ store, admission, catalog }: TasksPorts): Tasks {
  async function find({ tenant, user }: Principal, id: string): Promise<Task> {
    const task = await store.find(tenant, user.id, id);
    if (task) return task;
    throw new ProtocolError(ProtocolErrorCode.InvalidParams, 'Unknown task');
  }

  async function resume(principal: Principal, task: Task, asks: Asks): Promise<void> {
    const contract = catalog.get(task.tool);
    if (!contract) throw new Fault('internal', 'Internal error');
    // The same wherever and however often the last answer arrives.
    const next: InvocationId = keyedInvocationId('task', task.id, task.current);
    const { tool, capabilities, answers } = task;
    const { requestState } = asks;
    await admit(
      {
        principal,
        name: tool,
        arguments: task.arguments,
        signal: new AbortController().signal,
        onProgress: undefined,
        task: { afterMs: 0, capabilities },
      },
      {
        v: admission.messageVersion(),
        id: next,
        tenant: task.tenant,
        user: task.user,
        tool,
        arguments: task.arguments,
        progress: false,
        client: { capabilities, inputResponses: { ...answers }, requestState, log: false },
      },
      contract,
      admission,
    );
    await store.advance(principal.tenant, task, next);
  }

  return {
    async get(principal, id) {
      const task = await find(principal, id);
      return { ...toHandle(task), ...toDetails(task, await store.work(principal.tenant, task)) };
    },

    async update(principal, id, answers) {
      const task = await find(principal, id);
      const asks = asksOf(await store.work(principal.tenant, task));
      if (!asks || task.cancelled) return;
      const wanted = Object.keys(asks.inputRequests);
      const fitting = Object.entries(answers).filter(([name]) => wanted.includes(name));
      const given = await store.answer(principal.tenant, task, Object.fromEntries(fitting));
      if (wanted.every((name) => name in given)) {
        await resume(principal, { ...task, answers: given }, asks);
      }
    },

    async cancel(principal, id) {
      const { tenant } = principal;
      const task = await find(principal, id);
      const work = await store.work(tenant, task);
      if (asksOf(work)) await store.markCancelled(tenant, task);
      if (work.status === 'working') await admission.queue.cancel(tenant, task.current);
    },
  };
}

/** What a task is called and how long it is kept, whatever its state. */
export function toHandle(
  task: Pick<Task, 'id' | 'createdAt' | 'updatedAt' | 'ttlMs'>,
): Result & { readonly taskId: string } {
  return {
    taskId: task.id,
    status: 'working',
    createdAt: new Date(task.createdAt).toISOString(),
    lastUpdatedAt: new Date(task.updatedAt).toISOString(),
    ttlMs: task.ttlMs,
    pollIntervalMs,
  };
}

function asksOf(work: Work): Asks | undefined {
  if (work.status !== 'completed') return undefined;
  const result: unknown = JSON.parse(work.result);
  return Asks.safeParse(result).data;
}

function toDetails(task: Task, work: Work): Result {
  if (task.cancelled) return { status: 'cancelled' };
  if (!('id' in work)) {
    return work.status === 'working' ? { status: 'working' } : toFailure(lost());
  }
  const asks = asksOf(work);
  if (!asks) return toEnd(work);
  const open = Object.entries(asks.inputRequests).filter(([name]) => !(name in task.answers));
  return { status: 'input_required', inputRequests: Object.fromEntries(open) };
}

function toEnd(reply: Reply): Result {
  if (reply.status === 'cancelled') return { status: 'cancelled' };
  try {
    return { status: 'completed', result: JSON.parse(toResult(reply)) };
  } catch (thrown) {
    return toFailure(Fault.from(thrown));
  }
}

/** What the model can act on is a result; anything else a failure of the task. */
function toFailure(fault: Fault): Result {
  try {
    return { status: 'completed', result: toToolResult(fault, true) };
  } catch (thrown) {
    const error =
      thrown instanceof ProtocolError
        ? { code: thrown.code, message: thrown.message, data: thrown.data }
        : { code: ProtocolErrorCode.InternalError, message: 'Internal error' };
    return { status: 'failed', statusMessage: error.message, error };
  }
}

const lost = (): Fault =>
  new Fault(
    'outcome_unknown',
    'Nothing is known of this task any more. It may or may not have run; check before starting it again.',
  );
