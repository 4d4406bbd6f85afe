/**
 * All tenants, to be searched and sorted by what they do now. The records are read when somebody
 * first looks and kept up by what is announced; they are read again every ten minutes while
 * somebody looks. What tenants do is read from Redis at most once a second: of those alone that
 * have work, since all others do nothing.
 */
import type { Redis } from 'ioredis';
import { z } from 'zod';
import { TenantId } from '../ids.ts';
import { indexPrefix, indexSuffixes, queueKey } from '../queue/names.ts';
import { everyTenant, type TenantChange } from '../tenants/tenant-changes.ts';
import type { TenantStore } from '../tenants/tenant-store.ts';
import type { Tenant } from '../tenants/tenant.ts';
import type { TenantPage, TenantRow, TenantSort } from './api.ts';
import { readRefusedCalls } from './refused-calls.ts';

export interface RosterQuery {
  readonly search: string;
  readonly sort: TenantSort;
  /** From 0. */
  readonly page: number;
}

export interface Roster {
  /** Rejects with what Redis or DynamoDB say. */
  page(query: RosterQuery): Promise<TenantPage>;
  onTenantChange(change: TenantChange): void;
}

export interface RosterPorts {
  readonly redis: Redis;
  readonly shards: number;
  readonly store: Pick<TenantStore, 'listTenants' | 'readTenant'>;
}

const rowsPerPage = 50;
const recordsMs = 600_000;
const workMs = 1_000;
const tenantsAtOnce = 500;
const mostChanges = 1_000;

type Known = Pick<Tenant, 'id' | 'name' | 'status'> & { readonly cap: number };
type Work = Pick<TenantRow, 'running' | 'waiting'>;
interface State {
  readonly work: ReadonlyMap<string, Work>;
  readonly refused: ReadonlyMap<string, number>;
}

export function createRoster(ports: RosterPorts): Roster {
  const { redis, shards, store } = ports;
  const records = keepFor(recordsMs, async () => {
    changed.clear();
    return new Map((await store.listTenants()).map((tenant) => [tenant.id, toKnown(tenant)]));
  });
  const state = keepFor(workMs, async (): Promise<State> => {
    const [work, refused] = await Promise.all([readWork(redis, shards), readRefusedCalls(redis)]);
    return { work, refused };
  });
  /** Announced since the records were read. */
  const changed = new Set<TenantId>();

  async function known(): Promise<ReadonlyMap<string, Known>> {
    const map = await records.get();
    for (const id of changed) {
      changed.delete(id);
      const tenant = await store.readTenant(id);
      if (tenant) map.set(id, toKnown(tenant));
      else map.delete(id);
    }
    return map;
  }

  return {
    async page({ search, sort, page }) {
      const [tenants, { work, refused }] = await Promise.all([known(), state.get()]);
      const wanted = search.toLowerCase();
      const rows = [...tenants.values()]
        .filter(({ id, name }) => id.includes(wanted) || name.toLowerCase().includes(wanted))
        .map((tenant) => ({
          ...tenant,
          ...(work.get(tenant.id) ?? { running: 0, waiting: 0 }),
          refused: refused.get(tenant.id) ?? 0,
        }))
        .sort((a, b) => weightOf[sort](b) - weightOf[sort](a) || (a.id < b.id ? -1 : 1));
      const pages = Math.max(1, Math.ceil(rows.length / rowsPerPage));
      const at = Math.min(page, pages - 1);
      return {
        total: tenants.size,
        found: rows.length,
        page: at,
        pages,
        rows: rows.slice(at * rowsPerPage, (at + 1) * rowsPerPage),
      };
    },

    onTenantChange(change) {
      const id = TenantId.safeParse(change).data;
      if (id !== undefined) changed.add(id);
      // So many changes at once, or a subscription that missed some: cheaper to read all.
      if (change === everyTenant || changed.size > mostChanges) {
        changed.clear();
        records.forget();
      }
    },
  };
}

/** Highest first; then by id. */
const weightOf: Readonly<Record<TenantSort, (row: TenantRow) => number>> = {
  id: () => 0,
  use: ({ running, cap }) => (running === 0 ? 0 : running / Math.max(cap, 0.5)),
  waiting: ({ waiting }) => waiting,
  refused: ({ refused }) => refused,
};

function toKnown({ id, name, status, limits }: Tenant): Known {
  return { id, name, status, cap: limits.concurrency };
}

async function readWork(redis: Redis, shards: number): Promise<ReadonlyMap<string, Work>> {
  const found = new Map<string, Work>();
  for (let shard = 0; shard < shards; shard += 1) {
    const key = indexPrefix(shard) + indexSuffixes.busy;
    const busy = z.array(z.string().brand<'TenantId'>()).parse(await redis.zrange(key, '0', '-1'));
    for (let from = 0; from < busy.length; from += tenantsAtOnce) {
      const some = busy.slice(from, from + tenantsAtOnce);
      const lengths = await readLengths(redis, shard, some);
      for (const [at, tenant] of some.entries()) {
        found.set(tenant, { waiting: lengths[2 * at] ?? 0, running: lengths[2 * at + 1] ?? 0 });
      }
    }
  }
  return found;
}

/** Waiting and running of each, one after the other. */
async function readLengths(
  redis: Redis,
  shard: number,
  tenants: readonly TenantId[],
): Promise<readonly number[]> {
  const batch = redis.pipeline();
  for (const tenant of tenants) {
    batch.llen(queueKey(shard, tenant, 'wait'));
    batch.llen(queueKey(shard, tenant, 'active'));
  }
  return ((await batch.exec()) ?? []).map(([, length]) => Number(length ?? 0));
}

/** One read for all who ask within that time. */
function keepFor<Value>(ms: number, read: () => Promise<Value>) {
  let kept: { readonly value: Promise<Value>; readonly until: number } | undefined;
  return {
    get(): Promise<Value> {
      if (kept && performance.now() < kept.until) return kept.value;
      const value = read();
      kept = { value, until: performance.now() + ms };
      value.catch(() => (kept = undefined));
      return value;
    },
    forget(): void {
      kept = undefined;
    },
  };
}
