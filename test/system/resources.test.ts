/** What a tenant has stored, as resources: listed, read, completed and watched, through the queue. */
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { startTestCluster } from '../support/cluster.ts';
import { createKey } from '../support/keys.ts';

const Url = z.object({ url: z.url(), headers: z.record(z.string(), z.string()) });

const tenants = `
tenants:
  - id: other
    users: [{ id: bob, role: Admin }, { id: eve, role: Viewer }]
`;

async function connect(url: string, key: string): Promise<Client> {
  const client = new Client(
    { name: 'test', version: '1' },
    { versionNegotiation: { mode: 'auto' } },
  );
  const requestInit = { headers: { authorization: `Bearer ${key}` } };
  await client.connect(new StreamableHTTPClientTransport(new URL(url), { requestInit }));
  return client;
}

test('stored values are resources of their tenant alone', { timeout: 60_000 }, async () => {
  await using cluster = await startTestCluster({ ingresses: 2, diagnostics: true, tenants });
  const [first, second] = cluster.ingresses.map(({ ready }) => ready.mcp);
  if (first === undefined || second === undefined) throw new Error('Two ingresses were asked for');
  const ann = await connect(first, cluster.apiKey);
  const bob = await connect(second, await createKey(cluster, 'other', 'bob'));
  const set = (client: Client, key: string, value: string) =>
    client.callTool({ name: 'kv_set', arguments: { key, value } });

  // Written at one ingress, heard at another, by its own tenant and for its own URI only.
  const watcher = await connect(second, cluster.apiKey);
  const heard: string[] = [];
  const told = Promise.withResolvers<void>();
  watcher.setNotificationHandler('notifications/resources/updated', ({ params }) => {
    heard.push(params.uri);
    if (params.uri.endsWith('last')) told.resolve();
  });
  await watcher.listen({ resourceSubscriptions: ['mesh://kv/a%2Fb%20c', 'mesh://kv/last'] });
  await set(bob, 'a/b c', 'of bob');
  await set(ann, 'unwatched', 'x');
  await set(ann, 'a/b c', 'of ann');
  await set(ann, 'last', 'x');
  await told.promise;
  expect(heard).toEqual(['mesh://kv/a%2Fb%20c', 'mesh://kv/last']);

  await ann.callTool({
    name: 'artifacts_put',
    arguments: { key: 'note.txt', content: Buffer.from('hello').toString('base64') },
  });
  const uris: string[] = [];
  let cursor: string | undefined;
  do {
    const page = await ann.listResources(cursor === undefined ? undefined : { cursor });
    uris.push(...page.resources.map(({ uri }) => uri));
    cursor = page.nextCursor;
  } while (cursor !== undefined);
  expect(uris).toEqual(
    expect.arrayContaining(['mesh://artifacts/note.txt', 'mesh://kv/a%2Fb%20c']),
  );

  const { contents } = await ann.readResource({ uri: 'mesh://kv/a%2Fb%20c' });
  expect(contents).toEqual([expect.objectContaining({ text: 'of ann' })]);
  const theirs = await bob.readResource({ uri: 'mesh://kv/a%2Fb%20c' });
  expect(theirs.contents).toEqual([expect.objectContaining({ text: 'of bob' })]);
  const artifact = await ann.readResource({ uri: 'mesh://artifacts/note.txt' });
  expect(artifact.contents).toEqual([
    expect.objectContaining({ blob: Buffer.from('hello').toString('base64') }),
  ]);
  for (const uri of [
    'mesh://artifacts/note.txt',
    'mesh://kv/none',
    'mesh://kv/..',
    'file:///etc',
  ]) {
    await expect(bob.readResource({ uri })).rejects.toThrow(/not found/i);
  }

  // What is too large for a call is told of by a link, its size, and the way to get it.
  const size = 3_145_728;
  const upload = await ann.callTool({
    name: 'artifacts_url',
    arguments: { key: 'big', method: 'put', bytes: size, content_type: 'video/mp4' },
  });
  const { url, headers } = Url.parse(upload.structuredContent);
  const put = await fetch(url, { method: 'PUT', headers, body: Buffer.alloc(size) });
  expect(put.status).toBe(200);
  const large = await ann.callTool({ name: 'artifacts_get', arguments: { key: 'big' } });
  expect(large).toMatchObject({
    isError: true,
    content: [
      { type: 'text', text: expect.stringContaining('artifacts_url') },
      {
        type: 'resource_link',
        uri: 'mesh://artifacts/big',
        name: 'big',
        mimeType: 'video/mp4',
        size,
      },
    ],
  });
  await expect(ann.readResource({ uri: 'mesh://artifacts/big' })).rejects.toThrow(/artifacts_url/);

  const { completion } = await ann.complete({
    ref: { type: 'ref/resource', uri: 'mesh://kv/{key}' },
    argument: { name: 'key', value: 'a/' },
  });
  expect(completion.values).toEqual(['a/b c']);

  const { prompts } = await ann.listPrompts();
  expect(prompts.map(({ name }) => name)).toEqual(
    expect.arrayContaining(['remember', 'recall', 'hand-over', 'explain-artifact']),
  );
  const { messages } = await ann.getPrompt({ name: 'recall', arguments: { key: 'a/' } });
  expect(JSON.stringify(messages)).toContain('kv_get');

  // Progress tells how many calls are before one that waits, and never goes back.
  const sleeping = Array.from({ length: 12 }, () =>
    ann.callTool({ name: 'diagnostics_sleep', arguments: { ms: 2_500 } }),
  );
  const values: number[] = [];
  const messagesHeard: string[] = [];
  await ann.callTool(
    { name: 'diagnostics_sleep', arguments: { ms: 1 } },
    {
      onprogress({ progress, message }) {
        values.push(progress);
        messagesHeard.push(message ?? '');
      },
    },
  );
  await Promise.all(sleeping);
  expect(messagesHeard[0]).toMatch(/^Waiting, \d+ calls? before this one$/);
  expect(values).toEqual(values.toSorted((a, b) => a - b));
  await Promise.all([ann, bob, watcher].map((client) => client.close()));
});
