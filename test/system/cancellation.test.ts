import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { Client as LegacyClient } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport as LegacyTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startTestCluster, type TestCluster } from '../support/cluster.ts';
import { sumOverWorkers } from '../support/gauges.ts';

const tool = { name: 'diagnostics_sleep', arguments: { ms: 30_000 } };

let cluster: TestCluster;
beforeAll(async () => {
  cluster = await startTestCluster({ ingresses: 2, diagnostics: true });
});
afterAll(() => cluster[Symbol.asyncDispose]());

const running = (): Promise<number> => sumOverWorkers(cluster, 'agent_mesh_worker_running');
const bearer = () => ({
  requestInit: { headers: { authorization: `Bearer ${cluster.apiKey}` } },
});

/** Starts a long call, cancels it once it runs, and expects its slot to be free soon. */
async function startAndCancel(call: (signal: AbortSignal) => Promise<unknown>): Promise<void> {
  const controller = new AbortController();
  const ended = call(controller.signal).catch(() => 'cancelled');
  await expect.poll(running, { timeout: 10_000 }).toBe(1);
  controller.abort();
  await expect.poll(running, { interval: 20, timeout: 2_000 }).toBe(0);
  expect(await ended).toBe('cancelled');
}

describe('a running call', () => {
  test('of 2026-07-28 stops when its client leaves', async () => {
    const client = new Client(
      { name: 'test', version: '1' },
      { versionNegotiation: { mode: { pin: '2026-07-28' } } },
    );
    await client.connect(new StreamableHTTPClientTransport(new URL(cluster.mcp), bearer()));
    await startAndCancel((signal) => client.callTool(tool, { signal }));
    await client.close();
  });

  test('of 2025-11-25 stops when its client says so, at whatever ingress', async () => {
    // Each request goes to the next ingress, so that the cancel arrives at the other one.
    const urls = cluster.ingresses.map(({ ready }) => ready.mcp);
    let turn = 0;
    const client = new LegacyClient({ name: 'test', version: '1' });
    await client.connect(
      new LegacyTransport(new URL(cluster.mcp), {
        ...bearer(),
        fetch: (_url, init) => fetch(urls[(turn += 1) % urls.length] ?? '', init),
      }),
    );
    await startAndCancel((signal) => client.callTool(tool, undefined, { signal }));
    await client.close();
  });
});
