import { Redis } from 'ioredis';
import { describe, expect, test } from 'vitest';
import { callTool, resultOf, type Endpoint } from '../support/call.ts';
import { startTestCluster } from '../support/cluster.ts';
import { sumOverWorkers } from '../support/gauges.ts';

async function pidOf(url: string): Promise<number> {
  const redis = new Redis(url);
  const info = await redis.info('server');
  redis.disconnect();
  return Number(/^process_id:(\d+)/m.exec(info)?.[1]);
}

test('while Redis may evict calls none are taken, readiness says what to set, and work goes on once it is', async () => {
  await using cluster = await startTestCluster();
  const endpoint: Endpoint = { mcp: cluster.mcp, apiKey: cluster.apiKey };
  const readyz = async (): Promise<string> =>
    (await fetch(`${cluster.ingresses[0]?.ready.admin}/readyz`)).text();
  const status = async (): Promise<number> =>
    (await callTool(endpoint, 'kv_get', { key: 'x' })).status;
  const redis = new Redis(cluster.redis);
  try {
    await redis.config('SET', 'maxmemory-policy', 'allkeys-lru');
    await expect.poll(status, { timeout: 10_000 }).toBe(503);
    expect(await readyz()).toContain('CONFIG SET maxmemory-policy noeviction');
    await redis.config('SET', 'maxmemory-policy', 'noeviction');
    await expect.poll(status, { timeout: 10_000 }).toBe(200);
    expect(await readyz()).toContain('"ready"');
  } finally {
    redis.disconnect();
  }
}, 60_000);

describe('while Redis does not answer', () => {
  test('a call is refused with 503 and Retry-After within a second, never runs, and the next works', async () => {
    await using cluster = await startTestCluster();
    const endpoint: Endpoint = { mcp: cluster.mcp, apiKey: cluster.apiKey };
    await resultOf(endpoint, 'kv_set', { key: 'x', value: 'before' });
    const invocations = await sumOverWorkers(cluster, 'agent_mesh_runs_total');
    const pid = await pidOf(cluster.redis);

    process.kill(pid, 'SIGSTOP');
    try {
      const started = performance.now();
      const answer = await callTool(endpoint, 'kv_set', { key: 'x', value: 'ghost' });
      expect(performance.now() - started).toBeLessThan(1_200);
      expect(answer.status).toBe(503);
      expect(Number(answer.headers['retry-after'])).toBeGreaterThanOrEqual(1);
    } finally {
      process.kill(pid, 'SIGCONT');
    }

    await expect
      .poll(async () => (await callTool(endpoint, 'kv_get', { key: 'x' })).message?.result, {
        timeout: 10_000,
      })
      .toMatchObject({ structuredContent: { value: 'before' } });
    // The refused write did not run on waking: only reads have, since.
    expect(await resultOf(endpoint, 'kv_get', { key: 'x' })).toEqual({ value: 'before' });
    expect(await sumOverWorkers(cluster, 'agent_mesh_runs_total')).toBeGreaterThan(invocations);
  }, 60_000);
});
