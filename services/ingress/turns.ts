/**
 * A few admissions of one tenant at a time. In the first moment of a flood the ingress itself is
 * the queue: without turns every other tenant's next call would wait behind all of it.
 */
import type { TenantId } from '../../shared/ids.ts';

export interface Turns {
  /** Runs `work` once the tenant has a turn. Rejects without running it if all who wait are turned away. */
  run<Result>(tenant: TenantId, work: () => Promise<Result>): Promise<Result>;
  /** Whoever waits is not going to be served: rejects them all, at once. */
  turnAway(reason: Error): void;
}

interface Waiter {
  readonly start: () => void;
  readonly reject: (reason: Error) => void;
}

/** `most` is how many of one tenant run at once. */
export function createTurns(most: number): Turns {
  const running = new Map<TenantId, number>();
  const waiting = new Map<TenantId, Waiter[]>();

  const wait = (tenant: TenantId): Promise<void> =>
    new Promise((resolve, reject) => {
      const line = waiting.get(tenant) ?? [];
      waiting.set(tenant, line);
      line.push({ start: resolve, reject });
    });

  /** The turn passes to the next in line, or ends. */
  const pass = (tenant: TenantId): void => {
    const line = waiting.get(tenant);
    const next = line?.shift();
    if (line?.length === 0) waiting.delete(tenant);
    if (next) return next.start();
    const left = (running.get(tenant) ?? 1) - 1;
    if (left > 0) running.set(tenant, left);
    else running.delete(tenant);
  };

  return {
    async run(tenant, work) {
      const now = running.get(tenant) ?? 0;
      if (now < most) running.set(tenant, now + 1);
      else await wait(tenant);
      try {
        return await work();
      } finally {
        pass(tenant);
      }
    },
    turnAway(reason) {
      const all = [...waiting.values()].flat();
      waiting.clear();
      for (const { reject } of all) reject(reason);
    },
  };
}
