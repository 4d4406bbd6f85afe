/**
 * How many calls each tenant was refused within the last hour, cluster-wide. Counted in this
 * process and added up in Redis once a second, so that a tenant that is refused all the time
 * costs no more than one that is not.
 */
import type { Redis } from 'ioredis';
import type { Audit } from '../audit/audit.ts';
import { refusedCalls } from '../queue/names.ts';

export interface RefusedCalls {
  /** The same audit, counting the calls that it records as refused. */
  hear(audit: Audit): Audit;
  /** Since this process started. */
  readonly total: number;
  close(): void;
}

const periodMs = 600_000;
const periods = 6;
const addEveryMs = 1_000;
const keepSeconds = ((periods + 1) * periodMs) / 1_000;

export function countRefusedCalls(redis: Redis): RefusedCalls {
  let waiting = new Map<string, number>();
  let total = 0;

  const count = ({ id }: { readonly id: string }): void => {
    total += 1;
    waiting.set(id, (waiting.get(id) ?? 0) + 1);
  };
  const add = async (): Promise<void> => {
    if (waiting.size === 0 || redis.status !== 'ready') return;
    const adding = waiting;
    waiting = new Map();
    const key = refusedCalls(periodOf(Date.now()));
    const batch = redis.pipeline();
    for (const [tenant, count] of adding) batch.zincrby(key, count, tenant);
    await batch.expire(key, keepSeconds).exec();
  };
  // A figure for people: what is lost with Redis or this process is not made good.
  const timer = setInterval(() => void add().catch(() => undefined), addEveryMs);

  return {
    hear: (audit) => ({
      record(record) {
        audit.record(record);
        if (record.action === 'tools/call' && record.decision === 'refused') count(record.tenant);
      },
      close: () => audit.close(),
    }),
    get total() {
      return total;
    },
    close: () => clearInterval(timer),
  };
}

/** By tenant, of those that were refused anything. */
export async function readRefusedCalls(redis: Redis): Promise<ReadonlyMap<string, number>> {
  const last = periodOf(Date.now());
  const found = new Map<string, number>();
  for (let period = last - periods + 1; period <= last; period += 1) {
    const flat = await redis.zrange(refusedCalls(period), '0', '-1', 'WITHSCORES');
    for (let i = 0; i < flat.length; i += 2) {
      const tenant = flat[i] ?? '';
      found.set(tenant, (found.get(tenant) ?? 0) + Number(flat[i + 1]));
    }
  }
  return found;
}

const periodOf = (at: number): number => Math.floor(at / periodMs);
