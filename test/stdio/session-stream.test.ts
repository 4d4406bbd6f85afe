import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import { ResourceUpdatedNotificationSchema } from '@modelcontextprotocol/sdk/types.js';
import { expect, test } from 'vitest';
import { startTestCluster } from '../support/cluster.ts';
import { cleanEnvironment, main } from './a-stdio.ts';

async function connect(url: string, key: string): Promise<Client> {
  const client = new Client({ name: 'old', version: '1' });
  const env = { ...cleanEnvironment(), AGENT_MESH_URL: url, AGENT_MESH_TOKEN: key };
  await client.connect(new StdioClientTransport({ command: process.execPath, args: [main], env }));
  return client;
}

test(
  'a client of 2025 hears over stdio of changes it subscribed to',
  { timeout: 60_000 },
  async () => {
    await using cluster = await startTestCluster();
    const watcher = await connect(cluster.mcp, cluster.apiKey);
    const writer = await connect(cluster.mcp, cluster.apiKey);
    expect(watcher.getServerCapabilities()?.resources).toEqual({ subscribe: true });
    const heard = Promise.withResolvers<string>();
    watcher.setNotificationHandler(ResourceUpdatedNotificationSchema, ({ params }) => {
      heard.resolve(params.uri);
    });
    await watcher.subscribeResource({ uri: 'mesh://kv/watched' });
    await writer.callTool({ name: 'kv_set', arguments: { key: 'other', value: 'x' } });
    await writer.callTool({ name: 'kv_set', arguments: { key: 'watched', value: 'x' } });
    expect(await heard.promise).toBe('mesh://kv/watched');
    await Promise.all([watcher.close(), writer.close()]);
  },
);
