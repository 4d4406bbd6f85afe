/**
 * Word of tasks for those who listen for them. The end of an invocation is heard like any reply, by
 * this ingress as one more that waits for it; what changes a task without one is announced. Both
 * are best effort, so each task is also looked at from time to time.
 */
import type { InvocationId } from '../../../shared/ids.ts';
import type { Expectation, Replies } from '../../../shared/queue/replies.ts';
import type { TaskStore } from '../../../shared/tasks/task-store.ts';
import type { Principal } from '../../../shared/tenants/tenant.ts';
import type { Result } from '../converse.ts';
import type { Tasks } from '../tasks.ts';

export interface TaskNews {
  /** Those of the ids that are tasks of the principal. */
  own(principal: Principal, ids: readonly string[]): Promise<readonly string[]>;
  /**
   * Tells each new state of a task, as `tasks/get` answers, until it has ended or `signal` aborts.
   * A task that works is no news to begin with.
   */
  follow(
    principal: Principal,
    id: string,
    tell: (task: Result) => void,
    signal: AbortSignal,
  ): Promise<void>;
  /** Looks again at a task of which a change was announced. */
  onTask(id: InvocationId): void;
}

export interface TaskNewsPorts {
  readonly store: TaskStore;
  readonly tasks: Pick<Tasks, 'get'>;
  readonly replies: Replies;
  /** Milliseconds after which a task is looked at unasked. Default 10,000. */
  readonly lookMs?: number;
}

/** The states that no other follows. */
const final: readonly unknown[] = ['completed', 'failed', 'cancelled'];

export function createTaskNews(ports: TaskNewsPorts): TaskNews {
  const { store, tasks, replies, lookMs = 10_000 } = ports;
  const waiting = new Map<string, Set<() => void>>();

  /** Remembers word of a task that comes from now on. */
  function listenFor(id: string, signal: AbortSignal) {
    const { promise, resolve } = Promise.withResolvers<void>();
    const set = waiting.get(id) ?? new Set();
    waiting.set(id, set.add(resolve));
    const timer = setTimeout(resolve, lookMs);
    const leave = (): void => resolve();
    signal.addEventListener('abort', leave, { once: true });
    return {
      word: promise,
      stop() {
        clearTimeout(timer);
        signal.removeEventListener('abort', leave);
        set.delete(resolve);
        if (set.size === 0) waiting.delete(id);
      },
    };
  }

  return {
    async own({ tenant, user }, ids) {
      const found = await Promise.all(ids.map((id) => store.find(tenant, user.id, id)));
      return ids.filter((_, at) => found[at] !== undefined);
    },

    async follow(principal, id, tell, signal) {
      const { tenant, user } = principal;
      let told: unknown = 'working';
      while (!signal.aborted) {
        const news = listenFor(id, signal);
        let expectation: Expectation | undefined;
        try {
          const task = await store.find(tenant, user.id, id);
          if (!task) return;
          expectation = replies.expect(tenant.shard, task.current);
          await store.attend(tenant, task, replies.channel);
          const state = await tasks.get(principal, id);
          if (signal.aborted) return;
          if (state['status'] !== told) tell(state);
          told = state['status'];
          if (final.includes(told)) return;
          await Promise.race([news.word, expectation.reply]);
        } catch {
          // Redis does not answer, or the task is just being forgotten: the next look tells.
          await news.word;
        } finally {
          expectation?.stop();
          news.stop();
        }
      }
    },

    onTask(id) {
      for (const wake of waiting.get(id) ?? []) wake();
    },
  };
}
