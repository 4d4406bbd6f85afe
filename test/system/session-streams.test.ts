/** What 2025-era clients hear on their own stream, while their requests go to other ingresses. */
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import {
  LoggingMessageNotificationSchema,
  ResourceUpdatedNotificationSchema,
} from '@modelcontextprotocol/sdk/types.js';
import { expect, test } from 'vitest';
import { startTestCluster } from '../support/cluster.ts';

/** As behind a balancer that knows no sessions: streams at one ingress, everything else at another. */
async function connect(streams: string, requests: string, key: string): Promise<Client> {
  const client = new Client({ name: 'test', version: '1' });
  const transport = new StreamableHTTPClientTransport(new URL(requests), {
    requestInit: { headers: { authorization: `Bearer ${key}` } },
    fetch: (_url, init) => fetch(init?.method === 'GET' ? streams : requests, init),
  });
  await client.connect(transport);
  return client;
}

test(
  'a client of 2025 hears of changes and logs as its session says',
  { timeout: 60_000 },
  async () => {
    await using cluster = await startTestCluster({ ingresses: 2, conformance: true });
    const [first, second] = cluster.ingresses.map(({ ready }) => ready.mcp);
    if (first === undefined || second === undefined)
      throw new Error('Two ingresses were asked for');
    const watcher = await connect(first, second, cluster.apiKey);
    const writer = await connect(second, first, cluster.apiKey);
    const heard: string[] = [];
    const told = Promise.withResolvers<void>();
    watcher.setNotificationHandler(ResourceUpdatedNotificationSchema, ({ params }) => {
      heard.push(params.uri);
      if (params.uri.endsWith('last')) told.resolve();
    });
    for (const key of ['a', 'last']) await watcher.subscribeResource({ uri: `mesh://kv/${key}` });
    for (const key of ['a', 'b', 'last']) {
      await writer.callTool({ name: 'kv_set', arguments: { key, value: 'x' } });
    }
    await told.promise;
    expect(heard).toEqual(['mesh://kv/a', 'mesh://kv/last']);

    // The suite's tool logs at level info.
    const logged: string[] = [];
    watcher.setNotificationHandler(LoggingMessageNotificationSchema, ({ params }) => {
      logged.push(params.level);
    });
    const log = () => watcher.callTool({ name: 'test_tool_with_logging', arguments: {} });
    await log();
    const byDefault = logged.length;
    expect(byDefault).toBeGreaterThan(0);
    await watcher.setLoggingLevel('warning');
    await log();
    expect(logged).toHaveLength(byDefault);
    await watcher.setLoggingLevel('debug');
    await log();
    expect(logged.length).toBeGreaterThan(byDefault);
    await Promise.all([watcher.close(), writer.close()]);
  },
);
