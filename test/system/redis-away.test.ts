import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { describe, expect, test } from 'vitest';
import { indexPrefix, indexSuffixes } from '../../shared/queue/names.ts';
import { startOwnRedis } from '../queue/own-redis.ts';
import { callTool } from '../support/call.ts';
import { startTestCluster } from '../support/cluster.ts';

const leaseMs = 1_000;

async function startWithOwnRedis(callTimeoutMs: number) {
  const redis = await startOwnRedis();
  const cluster = await startTestCluster({
    diagnostics: true,
    environment: {
      REDIS_URL: redis.url,
      WORKER_LEASE_MS: String(leaseMs),
      CALL_TIMEOUT_MS: String(callTimeoutMs),
    },
  });
  const ask = new Redis(redis.url);
  // It is away in these tests, and comes back.
  ask.on('error', () => undefined);
  return {
    redis,
    endpoint: { mcp: cluster.mcp, apiKey: cluster.apiKey },
    outstanding: () => ask.zcard(indexPrefix(0) + indexSuffixes.deadlines),
    async [Symbol.asyncDispose]() {
      ask.disconnect();
      await cluster[Symbol.asyncDispose]();
      await redis[Symbol.asyncDispose]();
    },
  };
}

describe('while Redis is away', () => {
  test('accepted calls keep waiting, running or not, and get their answers once it is back', async () => {
    await using cluster = await startWithOwnRedis(30_000);
    const { endpoint, redis } = cluster;
    // The tenant's cap is ten.
    const count = 30;
    let answered = 0;
    const calls = Array.from({ length: count }, async () => {
      const answer = await callTool(endpoint, 'diagnostics_sleep', { ms: 2_000 });
      answered += 1;
      return answer;
    });
    await expect.poll(cluster.outstanding, { timeout: 10_000 }).toBe(count);

    await redis.kill();
    const lostAt = performance.now();
    const refused = await callTool(endpoint, 'kv_get', { key: 'x' });
    expect(performance.now() - lostAt).toBeLessThan(1_200);
    expect(refused.status).toBe(503);
    expect(Number(refused.headers['retry-after'])).toBeGreaterThanOrEqual(1);
    await sleep(2 * leaseMs);
    expect(answered).toBe(0);

    await redis.start();
    const answers = await Promise.all(calls);
    const slept = answers.filter(({ message }) => message?.result?.structuredContent);
    expect(slept).toHaveLength(count);
  }, 90_000);

  test('a call whose time runs out is told so at its deadline, and the next works once Redis is back', async () => {
    const callTimeoutMs = 3_000;
    await using cluster = await startWithOwnRedis(callTimeoutMs);
    const { endpoint, redis } = cluster;
    const startedAt = performance.now();
    const call = callTool(endpoint, 'diagnostics_sleep', { ms: 2_000 });
    await expect.poll(cluster.outstanding, { timeout: 10_000, interval: 20 }).toBe(1);
    await redis.kill();

    const { message } = await call;
    const tookMs = performance.now() - startedAt;
    expect(message?.result?._meta?.['agent-mesh/fault']).toBe('outcome_unknown');
    expect(tookMs).toBeGreaterThan(callTimeoutMs);
    // With what an ingress waits beyond the deadline, for a reply that is on its way.
    expect(tookMs).toBeLessThan(callTimeoutMs + 4_000);

    await redis.start();
    await expect
      .poll(async () => (await callTool(endpoint, 'kv_get', { key: 'x' })).status, {
        timeout: 10_000,
      })
      .toBe(200);
  }, 90_000);
});
