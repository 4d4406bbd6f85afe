import { describe, expect, test } from 'vitest';
import { callTool, type Endpoint } from '../support/call.ts';
import { startTestCluster, type TestCluster } from '../support/cluster.ts';
import { readGauge, sumOverWorkers } from '../support/gauges.ts';

const running = 'agent_mesh_worker_running';

/** Starts calls that hold slots, and waits until they do. */
async function occupy(cluster: TestCluster, calls: number, ms: number) {
  const endpoint: Endpoint = { mcp: cluster.mcp, apiKey: cluster.apiKey };
  const answers = Promise.all(
    Array.from({ length: calls }, () => callTool(endpoint, 'diagnostics_sleep', { ms })),
  );
  await expect.poll(() => sumOverWorkers(cluster, running), { timeout: 10_000 }).toBe(calls);
  return answers;
}

describe('a worker asked to stop', () => {
  test('finishes what it runs', async () => {
    await using cluster = await startTestCluster({ diagnostics: true });
    const [worker] = cluster.workers;
    const answers = occupy(cluster, 4, 1_500);
    await expect.poll(() => sumOverWorkers(cluster, running), { timeout: 10_000 }).toBe(4);
    const stopped = worker?.ended;
    process.kill(worker?.pid ?? 0, 'SIGTERM');
    for (const { message } of await answers) {
      expect(message?.result?.structuredContent).toEqual({ slept: 1_500 });
    }
    await stopped;
  }, 60_000);

  test('hands back what it cannot finish in time, and another finishes it', async () => {
    await using cluster = await startTestCluster({
      workers: 2,
      diagnostics: true,
      environment: { WORKER_DRAIN_MS: '200' },
    });
    const answers = occupy(cluster, 6, 3_000);
    await expect.poll(() => sumOverWorkers(cluster, running), { timeout: 10_000 }).toBe(6);
    const busy = await Promise.all(
      cluster.workers.map(async (worker) => ({
        worker,
        calls: await readGauge(worker.ready.admin, running),
      })),
    );
    const first = busy.find(({ calls }) => calls > 0)?.worker;
    const signalledAt = performance.now();
    process.kill(first?.pid ?? 0, 'SIGTERM');
    await first?.ended;
    expect(performance.now() - signalledAt).toBeLessThan(2_500);
    for (const { message } of await answers) {
      expect(message?.result?.structuredContent).toEqual({ slept: 3_000 });
    }
  }, 60_000);
});

describe('an ingress asked to stop', () => {
  test('answers what it has accepted', async () => {
    await using cluster = await startTestCluster({ ingresses: 2, diagnostics: true });
    const answers = occupy(cluster, 4, 1_500);
    await expect.poll(() => sumOverWorkers(cluster, running), { timeout: 10_000 }).toBe(4);
    const [ingress] = cluster.ingresses;
    process.kill(ingress?.pid ?? 0, 'SIGTERM');
    for (const { message } of await answers) {
      expect(message?.result?.structuredContent).toEqual({ slept: 1_500 });
    }
    await ingress?.ended;
  }, 60_000);
});
