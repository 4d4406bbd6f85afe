/** Long polls: receivers that wait until a message comes, their time is over, or their client has gone. */

export interface Waiting {
  /** Resolves with what `take` returns once it returns anything, or with nothing in the end. */
  wait<T>(
    queueName: string,
    take: () => readonly T[],
    seconds: number,
    signal: AbortSignal,
  ): Promise<readonly T[]>;
  /** The queue has new work. */
  readonly wake: (queueName: string) => void;
  close(): void;
}

/** Messages also become visible by the mere passing of time. */
const lookAgainMs = 200;

export function createWaiting(): Waiting {
  const waiters = new Map<string, Set<{ readonly look: () => void; readonly end: () => void }>>();

  return {
    wait: (queueName, take, seconds, signal) =>
      new Promise((resolve) => {
        const group = waiters.get(queueName) ?? new Set();
        waiters.set(queueName, group);
        const finish = (messages: Awaited<ReturnType<typeof take>>) => {
          group.delete(waiter);
          clearTimeout(timeout);
          clearInterval(looking);
          signal.removeEventListener('abort', waiter.end);
          resolve(messages);
        };
        const waiter = {
          look: () => {
            const messages = take();
            if (messages.length > 0) finish(messages);
          },
          end: () => finish([]),
        };
        const timeout = setTimeout(waiter.end, seconds * 1_000);
        const looking = setInterval(waiter.look, lookAgainMs);
        signal.addEventListener('abort', waiter.end);
        group.add(waiter);
        if (signal.aborted) waiter.end();
      }),
    wake(queueName) {
      // After the sender's own change is complete.
      queueMicrotask(() => {
        for (const waiter of waiters.get(queueName) ?? []) waiter.look();
      });
    },
    close() {
      for (const group of waiters.values()) for (const waiter of group) waiter.end();
    },
  };
}
