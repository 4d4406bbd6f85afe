/** A stretch: load before, during and after one fault. Then the load is stopped, all calls are answered, and the books are checked. */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect } from 'vitest';
import { indexPrefix, indexSuffixes } from '../../shared/queue/names.ts';
import type { Act } from './acts.ts';
import { explain, keepLogs } from './explain.ts';
import type { FaultRedis } from './fault-redis.ts';
import { callTimeoutMs, startFaultFleet, type FaultFleet } from './fleet.ts';
import { startLoad, tenants } from './load.ts';
import { growthBounds, growthSince, measureMemory, type MemoryLevels } from './memory.ts';
import { toTable, type Row } from './table.ts';
import { judge } from './verdict.ts';

export interface Stretches {
  under(fault: string, act: Act): Promise<Row>;
  /** What quiet tenants may have to wait at most if a fault is none of their business: by how long they wait without any. */
  readonly quietBoundMs: number;
}

const aroundMs = 1_500;
const quietSlackMs = 2_000;
/** Every call ends by its deadline and the sweep after it; a slow machine takes its time. */
const untilQuietMs = callTimeoutMs + 30_000;

/** Of one fleet for all tests of a file. After them a table of all stretches is printed, under that title. */
export function useStretches(startRedis: () => Promise<FaultRedis>, title: string): Stretches {
  const rows: Row[] = [];
  let fleet: FaultFleet;
  let warm: MemoryLevels | undefined;
  let last: MemoryLevels | undefined;

  beforeAll(async () => {
    fleet = await startFaultFleet(tenants, await startRedis());
  });
  afterAll(async () => {
    process.stdout.write(`\n${title}\n${toTable(rows)}\n`);
    await fleet[Symbol.asyncDispose]();
  });

  const endStretch = async (row: Omit<Row, 'growth'>): Promise<Row> => {
    const now = await measureMemory(fleet);
    // The first stretch fills caches, and is what the others are measured by.
    warm ??= now;
    const grown = { ...row, growth: growthSince(last ?? now, warm, now) };
    last = now;
    rows.push(grown);
    return grown;
  };

  const run = async (fault: string, act: Act): Promise<Row> => {
    const from = Date.now();
    const load = startLoad(fleet);
    await sleep(aroundMs);
    const more = (await act(fleet)) ?? [];
    await sleep(aroundMs);
    await load.stop();
    await untilQuiet(fleet);
    const ended = [...load.ended, ...more];
    const row = await endStretch(await judge(fault, fleet, ended, from));
    const inexplicable = ended.filter(({ outcome }) => outcome.startsWith('rpc'));
    check(row, await explain(inexplicable, fleet.logDir));
    return row;
  };

  return {
    async under(fault, act) {
      try {
        return await run(fault, act);
      } catch (error) {
        process.stdout.write(`${fault}: logs in ${await keepLogs(fleet.logDir)}\n`);
        throw error;
      }
    },
    get quietBoundMs() {
      return (rows[0]?.quietP99Ms ?? 0) + quietSlackMs;
    },
  };
}

function check(row: Row, unexplained: readonly string[]): void {
  const { left, unbalanced, violations, overCapMs, missing, duplicates } = row;
  expect({ left, unbalanced, violations, overCapMs, missing, duplicates, unexplained }).toEqual({
    left: [],
    unbalanced: [],
    violations: [],
    overCapMs: 0,
    missing: [],
    duplicates: [],
    unexplained: [],
  });
  expect(row.ok).toBeGreaterThan(0);
  expect(row.growth.redis).toBeLessThan(growthBounds.redis);
  expect(row.growth.heap).toBeLessThan(growthBounds.heap);
  expect(row.growth.resident).toBeLessThan(growthBounds.resident);
}

/** No call is outstanding any more. */
async function untilQuiet({ ask, redis }: FaultFleet): Promise<void> {
  const outstanding = async (): Promise<number> => {
    const all = Array.from({ length: redis.shards }, (_, shard) =>
      ask.zcard(indexPrefix(shard) + indexSuffixes.deadlines),
    );
    return (await Promise.all(all)).reduce((sum, each) => sum + each, 0);
  };
  await expect
    .poll(() => outstanding().catch(() => -1), { timeout: untilQuietMs, interval: 100 })
    .toBe(0);
}
