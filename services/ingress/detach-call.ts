/** A call that takes long becomes a task: recorded first, then told to the client. */
import { Fault } from '../../shared/faults.ts';
import type { InvocationId } from '../../shared/ids.ts';
import type { TaskStore } from '../../shared/tasks/task-store.ts';
import { toHandle } from './tasks.ts';
import type { ToolCall } from './tool-call.ts';

export interface DetachPorts {
  readonly store: TaskStore;
  readonly taskTimeoutMs: number;
  readonly taskTtlMs: number;
}

/** @throws {Fault} `outcome_unknown` if the task could not be recorded: the call itself goes on. */
export function createDetach({ store, taskTimeoutMs, taskTtlMs }: DetachPorts) {
  return async (call: ToolCall, id: InvocationId): Promise<string> => {
    const { tenant, user } = call.principal;
    const createdAt = Date.now();
    // From its very beginning to the end of what is kept of it.
    const ttlMs = taskTimeoutMs + taskTtlMs;
    try {
      await store.create(tenant, id, {
        tenant: tenant.id,
        user: user.id,
        tool: call.name,
        arguments: call.arguments,
        capabilities: { ...call.task?.capabilities },
        createdAt,
        ttlMs,
      });
    } catch (cause) {
      throw new Fault(
        'outcome_unknown',
        'The call takes long, and could not be made a task. It goes on; check before calling again.',
        { cause },
      );
    }
    const handle = toHandle({ id, createdAt, updatedAt: createdAt, ttlMs });
    return JSON.stringify({ resultType: 'task', ...handle });
  };
}
