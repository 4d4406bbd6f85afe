import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { TenantId } from '../../shared/ids.ts';
import { queueKey } from '../../shared/queue/names.ts';
import { callTool, post, resultOf } from '../support/call.ts';
import { builtImage, startContainedCluster, type ContainedCluster } from './contained-cluster.ts';
import { findRuntime, whyNot } from './runtime.ts';

const stores = [
  { image: 'redis:8-bookworm', server: 'redis-server' },
  { image: 'valkey/valkey:8', server: 'valkey-server' },
];
const runtime = await findRuntime();

for (const store of stores) {
  const reason = whyNot(runtime, [builtImage, store.image]);
  const title = `The built image with ${store.image}`;
  if (reason !== undefined) process.stdout.write(`${title}: skipped, ${reason}\n`);

  describe.skipIf(reason !== undefined)(title, { timeout: 60_000 }, () => {
    let cluster: ContainedCluster;
    beforeAll(async () => {
      cluster = await startContainedCluster(store);
    }, 180_000);
    afterAll(() => cluster?.[Symbol.asyncDispose](), 120_000);

    test('answers a tool call, through ingress, queue, worker and AWS', async () => {
      const { endpoint } = cluster;
      await resultOf(endpoint, 'kv_set', { key: 'greeting', value: store.image });
      expect(await resultOf(endpoint, 'kv_get', { key: 'greeting' })).toEqual({
        value: store.image,
      });
    });

    test('refuses a caller without a key, though it listens to everybody', async () => {
      const { mcp } = cluster.endpoint;
      const ping = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'ping' });
      expect((await post({ mcp }, ping)).status).toBe(401);
    });

    test('runs without root, and cannot write to its own code', async () => {
      for (const container of [cluster.ingress, ...cluster.workers]) {
        expect((await container.exec(['id', '-u'])).output.trim()).toBe('1000');
        expect((await container.exec(['touch', '/app/dist/new.js'])).exitCode).not.toBe(0);
      }
    });

    test('recovers by itself from a restart of Redis', async () => {
      const { endpoint, ingress, redis } = cluster;
      await redis.restart({ timeout: 10_000 });
      const healthCheck = ['node', 'dist/deploy/compose/health-check.js'];
      await expect
        .poll(async () => (await ingress.exec(healthCheck)).exitCode, within(30_000))
        .toBe(0);
      await expect
        .poll(
          async () => (await callTool(endpoint, 'kv_get', { key: 'greeting' })).status,
          within(30_000),
        )
        .toBe(200);
    });

    test('answers every running call before its workers stop', async () => {
      const { endpoint, redis, workers } = cluster;
      const slept = { slept: 5_000 };
      const calls = Array.from({ length: 8 }, () =>
        callTool(endpoint, 'diagnostics_sleep', { ms: slept.slept }),
      );
      await expect.poll(() => countRunning(redis), within(10_000)).toBe(8);
      await Promise.all(workers.map((worker) => worker.stop({ timeout: 40_000 })));
      const answers = await Promise.all(calls);
      expect(answers.map(({ message }) => message?.result?.structuredContent)).toEqual(
        calls.map(() => slept),
      );
    });
  });
}

const within = (timeout: number) => ({ timeout, interval: 200 });

/** The demo tenant's calls that hold a lease. */
async function countRunning(redis: ContainedCluster['redis']): Promise<number> {
  const active = queueKey(0, TenantId.parse('demo-tenant'), 'active');
  const { output } = await redis.exec(['redis-cli', 'llen', active]);
  return Number(/\d+/.exec(output)?.[0]);
}
