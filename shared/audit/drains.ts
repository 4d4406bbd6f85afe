/** When outboxes are drained: soon after something was put in, one process at a time, and later where that failed. */
import { setTimeout as sleep } from 'node:timers/promises';
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
const closeAttempts = 5;
const closeWaitMs = 100;

export function createDrains({ outbox, drainOutbox, onProblem }: DrainsPorts): Drains {
  const timers = new Map<number, NodeJS.Timeout>();
  const running = new Map<number, Promise<number | undefined>>();
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

  /** Never rejects. Resolves with the ms after which to try again, or undefined. */
  async function run(shard: number): Promise<number | undefined> {
    try {
      return await drainShard(shard);
    } catch (error) {
      if (error instanceof ChainMoved) return waitMs;
      if (!isFailing) onProblem('audit waits in Redis: it cannot be written', error);
      isFailing = true;
      return retryMs;
    }
  }

  async function start(shard: number): Promise<void> {
    timers.delete(shard);
    const before = running.get(shard) ?? Promise.resolve(undefined);
    const mine = before.then(() => run(shard));
    running.set(shard, mine);
    const againMs = await mine;
    if (running.get(shard) === mine) running.delete(shard);
    if (againMs !== undefined) schedule(shard, againMs);
  }

  function schedule(shard: number, delayMs: number): void {
    if (isClosed || timers.has(shard)) return;
    timers.set(
      shard,
      setTimeout(() => void start(shard), delayMs),
    );
  }

  /** Others may have the turn for a moment. What they leave waits for the next one. */
  async function finish(shard: number): Promise<void> {
    for (let attempt = 1; attempt <= closeAttempts; attempt += 1) {
      const againMs = await run(shard);
      if (againMs !== waitMs) return;
      await sleep(closeWaitMs);
    }
  }

  return {
    schedule,
    async close() {
      isClosed = true;
      await Promise.all(running.values());
      const left = [...timers.keys()];
      for (const timer of timers.values()) clearTimeout(timer);
      await Promise.all(left.map(finish));
    },
  };
}
