/** Messages that are none, and streams without end: each gets the protocol's own answer. */
import { expect, test } from 'vitest';
import { messageOf, modern, post, startIngress } from './an-ingress.ts';

const { body: good, headers } = modern('tools/call', { name: 'kv_get', arguments: { key: 'a' } });
const bad: readonly (readonly [string, string, number, number])[] = [
  ['no JSON', '{"jsonrpc":', 400, -32_700],
  ['an empty body', '', 400, -32_700],
  ['a batch', JSON.stringify([good]), 400, -32_600],
  ['a number', '1', 400, -32_600],
  ['null', 'null', 400, -32_600],
  ['no version of JSON-RPC', JSON.stringify({ ...good, jsonrpc: undefined }), 400, -32_600],
  ['another version of JSON-RPC', JSON.stringify({ ...good, jsonrpc: '1.0' }), 400, -32_600],
  ['a method that is no text', JSON.stringify({ ...good, method: 7 }), 400, -32_600],
  ['an id that is an object', JSON.stringify({ ...good, id: {} }), 400, -32_600],
];

test.each(bad)('%s is refused for what it is', async (_what, text, status, code) => {
  await using mesh = await startIngress();
  const response = await post(mesh, text, headers);
  expect({ status: response.status, code: (await messageOf(response)).error.code }).toEqual({
    status,
    code,
  });
});

test(
  '10,000 listens leave a tenant its share of streams and no more',
  { timeout: 60_000 },
  async () => {
    await using mesh = await startIngress({}, { streamsPerTenant: 50 });
    const leave = new AbortController();
    // Held, or the garbage collector would close them.
    const opened: Response[] = [];
    const listen = async (id: number): Promise<void> => {
      const { body, headers: sent } = modern(
        'subscriptions/listen',
        { notifications: { toolsListChanged: true } },
        id,
      );
      const response = await post(mesh, body, sent, leave.signal);
      const isStream = response.headers.get('content-type')?.startsWith('text/event-stream');
      if (isStream) opened.push(response);
      else await response.text();
    };
    for (let from = 0; from < 10_000; from += 100) {
      await Promise.all(Array.from({ length: 100 }, (_, i) => listen(from + i)));
    }
    expect(opened).toHaveLength(50);
    expect(mesh.ingress.streams).toBe(50);
    // Calls go on beside them.
    const { body, headers: sent } = modern('tools/list');
    expect((await post(mesh, body, sent)).status).toBe(200);
    leave.abort();
  },
);
