/** When outboxes are drained: soon after something was put in, one process at a time, and later where that failed. */
import type { TenantId } from '../ids.ts';
import { ChainMoved } from './audit-log.ts';
import type { DrainOutbox } from './drain-outbox.ts';
import type { Outbox } from './outbox.ts';

export interface Drains {
  /** Drains the shard after that time, or when it is to be drained anyway. */
  schedule(shard: number, delayMs: number): void;
  /** Drains what is still to be drained, once, and nothing after that. */
  close(): Promise<void>;
}

export interface DrainsPorts {
  readonly outbox: Pick<Outbox, 'tenants' | 'exclusively'>;
  readonly drainOutbox: DrainOutbox;
  /** Told once of each interruption. */
  readonly onProblem: (what: string, cause: unknown) => void;
}

const tenantsAtOnce = 8;
const retryMs = 2_000;
/** Another process has its turn. */
const waitMs = 500;

export function createDrains({ outbox, drainOutbox, onProblem }: DrainsPorts): Drains {
  const timers = new Map<number, NodeJS.Timeout>();
  const running = new Map<number, Promise<void>>();
  let isClosed = false;
  let isFailing = false;

  /** Resolves with the ms after which to try again, or undefined. */
  async function drainShard(shard: number): Promise<number | undefined> {
    const tenants = await outbox.tenants(shard);
    if (tenants.length === 0) return undefined;
    const hadTurn = await outbox.exclusively(shard, () => drainTenants(shard, tenants));
    if (!hadTurn) return waitMs;
    isFailing = false;
    return undefined;
  }

  /** Rejects with one of the failures. Where some tenants all fail, so would the rest. */
  async function drainTenants(shard: number, tenants: readonly TenantId[]): Promise<void> {
    let failed: readonly PromiseRejectedResult[] = [];
    for (let at = 0; at < tenants.length; at += tenantsAtOnce) {
      const some = tenants.slice(at, at + tenantsAtOnce);
      const outcomes = await Promise.allSettled(some.map((tenant) => drainOutbox(shard, tenant)));
      const failures = outcomes.filter((outcome) => outcome.status === 'rejected');
      failed = [...failed, ...failures];
      if (failures.length === some.length) break;
    }
    const [first] = failed;
    if (first) throw first.reason;
  }

  async function run(shard: number): Promise<void> {
    try {
      const againMs = await drainShard(shard);
      if (againMs !== undefined) schedule(shard, againMs);
    } catch (error) {
      if (error instanceof ChainMoved) {
        schedule(shard, waitMs);
        return;
      }
      if (!isFailing) onProblem('audit waits in Redis: it cannot be written', error);
      isFailing = true;
      schedule(shard, retryMs);
    }
  }

  function start(shard: number): void {
    timers.delete(shard);
    const before = running.get(shard) ?? Promise.resolve();
    const mine = before.then(() => run(shard));
    running.set(shard, mine);
    void mine.finally(() => {
      if (running.get(shard) === mine) running.delete(shard);
    });
  }

  function schedule(shard: number, delayMs: number): void {
    if (isClosed || timers.has(shard)) return;
    timers.set(
      shard,
      setTimeout(() => start(shard), delayMs),
    );
  }

  return {
    schedule,
    async close() {
      isClosed = true;
      for (const [shard, timer] of timers) {
        clearTimeout(timer);
        start(shard);
      }
      await Promise.all(running.values());
    },
  };
}
