import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { describe, expect, test, vi } from 'vitest';
import { TenantId } from '../../shared/ids.ts';
import { queueKey } from '../../shared/queue/names.ts';
import { callUntilAccepted } from '../support/call.ts';
import { startTestCluster, type TestCluster } from '../support/cluster.ts';
import { createKey } from '../support/keys.ts';
import { logsOf, mostAtOnce, readIntervals } from '../support/running-intervals.ts';

const cap = 4;
const calls = 400;
const tenants = `
tenants:
  - id: acme
    limits: { concurrency: ${cap}, requestsPerMinute: 100000, userRequestsPerMinute: 100000 }
    users:
      - { id: ann }
`;

function startCluster(): Promise<TestCluster> {
  return startTestCluster({
    workers: 3,
    diagnostics: true,
    tenants,
    environment: { LOG_LEVEL: 'debug', WORKER_LEASE_MS: '2000' },
  });
}

/** The most live leases that Redis ever showed while `work` ran. */
async function watchLeases(url: string, work: Promise<unknown>): Promise<number> {
  await using redis = Object.assign(new Redis(url), {
    [Symbol.asyncDispose]: async () => redis.disconnect(),
  });
  const state = { over: false };
  let most = 0;
  void work.finally(() => (state.over = true)).catch(() => undefined);
  const active = queueKey(0, TenantId.parse('acme'), 'active');
  while (!state.over) {
    most = Math.max(most, await redis.llen(active));
    // Often enough to see every change of calls that take 30 ms, and no load by itself.
    await sleep(2);
  }
  return most;
}

describe('a tenant with cap 4 and 400 calls on three workers', () => {
  test('never has more than four running, and uses all four', async () => {
    await using cluster = await startCluster();
    const endpoint = { mcp: cluster.mcp, apiKey: await createKey(cluster, 'acme', 'ann') };

    const work = Promise.all(
      Array.from({ length: calls }, () =>
        callUntilAccepted(endpoint, 'diagnostics_sleep', { ms: 30 }),
      ),
    );
    const most = await watchLeases(cluster.redis, work);
    const answers = await work;

    expect(answers.map(({ message }) => message?.result?.structuredContent)).toEqual(
      Array.from({ length: calls }, () => ({ slept: 30 })),
    );
    expect(most).toBe(cap);
    const intervals = await vi.waitFor(async () => {
      const read = await readIntervals(logsOf(cluster), 'acme');
      expect(read).toHaveLength(calls);
      return read;
    });
    expect(mostAtOnce(intervals)).toBe(cap);
  }, 60_000);

  test('stays within the cap and answers every call once through a kill -9', async () => {
    await using cluster = await startCluster();
    const endpoint = { mcp: cluster.mcp, apiKey: await createKey(cluster, 'acme', 'ann') };

    const work = Promise.all(
      Array.from({ length: calls }, () =>
        callUntilAccepted(endpoint, 'diagnostics_sleep', { ms: 30 }),
      ),
    );
    const watching = watchLeases(cluster.redis, work);
    await vi.waitFor(async () => {
      expect((await readIntervals(logsOf(cluster), 'acme')).length).toBeGreaterThan(60);
    }, 20_000);
    const [victim] = cluster.workers;
    process.kill(victim?.pid ?? 0, 'SIGKILL');
    const answers = await work;

    expect(answers.filter(({ message }) => message?.result?.structuredContent)).toHaveLength(calls);
    expect(await watching).toBe(cap);
    const intervals = await vi.waitFor(async () => {
      const read = await readIntervals(logsOf(cluster), 'acme');
      expect(new Set(read.map(({ id }) => id)).size).toBe(calls);
      return read;
    });
    expect(mostAtOnce(intervals)).toBeLessThanOrEqual(cap);
  }, 60_000);
});
