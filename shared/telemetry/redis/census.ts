/**
 * How much work there is, over all tenants: waiting, running, and the admissible backlog, which is
 * what more slots could start now. What a tenant has waiting above its cap is left out of that: no
 * slot helps it.
 *
 * One process at a time counts a shard, for all of them. It goes through the tenants with work in
 * short scripts, and takes a hundredth of the time at most, however many they are.
 */
import type { Redis } from 'ioredis';
import { z } from 'zod';
import { busyTenants, census, censusTurn, queuePrefix } from '../../queue/names.ts';
import { readLuaScript } from '../../queue/lua-script.ts';

export interface BusyTenant {
  readonly tenant: string;
  readonly waiting: number;
  readonly running: number;
}

const Census = z.object({
  tenants: z.number(),
  waiting: z.number(),
  running: z.number(),
  admissible: z.number(),
  /** Those with the most running and waiting, the busiest first. */
  busiest: z.array(z.object({ tenant: z.string(), waiting: z.number(), running: z.number() })),
});
export type Census = z.output<typeof Census>;

const script = readLuaScript(new URL('census.lua', import.meta.url));
const Page = z.tuple([z.string(), z.array(z.union([z.string(), z.number()]))]);
const pageSize = 250;
/** So many of a shard are remembered by name. */
const mostBusiest = 100;
const leastPeriodMs = 2_000;
const shareOfTime = 0.01;
/** A count that nobody has made anew is forgotten. */
const keptMs = 60_000;

/** Counts the shard if it is this process's turn. Resolves with the last count; undefined if there is none. */
export async function readCensus(redis: Redis, shard: number): Promise<Census | undefined> {
  const turn = await redis.set(censusTurn(shard), 1, 'PX', keptMs, 'NX');
  if (turn === null) return parseCensus(await redis.get(census(shard)));
  const started = performance.now();
  try {
    const counted = await takeCensus(redis, shard);
    await redis.set(census(shard), JSON.stringify(counted), 'PX', keptMs);
    return counted;
  } finally {
    const restMs = Math.max(leastPeriodMs, (performance.now() - started) / shareOfTime);
    await redis.pexpire(censusTurn(shard), Math.min(keptMs, Math.ceil(restMs)));
  }
}

/** The busiest tenants of the cluster, as the last count found them. For signed-in operators alone. */
export async function busiestTenants(
  redis: Redis,
  shards: number,
  limit: number,
): Promise<readonly BusyTenant[]> {
  const texts = await Promise.all(
    Array.from({ length: shards }, (_, shard) => redis.get(census(shard))),
  );
  return texts
    .flatMap((text) => parseCensus(text)?.busiest ?? [])
    .sort(byLoad)
    .slice(0, limit);
}

function parseCensus(text: string | null): Census | undefined {
  return text === null ? undefined : Census.parse(JSON.parse(text));
}

async function takeCensus(redis: Redis, shard: number): Promise<Census> {
  const keys = [busyTenants(shard), `${queuePrefix(shard)}:`];
  // By name: a scan may tell a tenant twice.
  const found = new Map<string, BusyTenant & { readonly admissible: number }>();
  let cursor = '0';
  do {
    const [next, counted] = Page.parse(await script.run(redis, keys, [cursor, pageSize]));
    for (let i = 0; i < counted.length; i += 4) {
      const [tenant = '', waiting, running, admissible] = counted.slice(i, i + 4);
      found.set(String(tenant), {
        tenant: String(tenant),
        waiting: Number(waiting),
        running: Number(running),
        admissible: Number(admissible),
      });
    }
    cursor = next;
  } while (cursor !== '0');
  const all = [...found.values()];
  const sum = (of: (each: (typeof all)[number]) => number): number =>
    all.reduce((total, each) => total + of(each), 0);
  return {
    tenants: all.length,
    waiting: sum(({ waiting }) => waiting),
    running: sum(({ running }) => running),
    admissible: sum(({ admissible }) => admissible),
    busiest: all
      .sort(byLoad)
      .slice(0, mostBusiest)
      .map(({ tenant, waiting, running }) => ({ tenant, waiting, running })),
  };
}

const byLoad = (a: BusyTenant, b: BusyTenant): number =>
  b.running + b.waiting - (a.running + a.waiting);
