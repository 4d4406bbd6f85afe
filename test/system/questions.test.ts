/** A 2025-era client is asked on the stream of its call, and answers at another ingress. */
import { expect, test } from 'vitest';
import { startTestCluster } from '../support/cluster.ts';
import { createKey } from '../support/keys.ts';

const tenants = `
tenants:
  - id: other
    users: [{ id: bob, role: Admin }]
`;

const headersFor = (key: string, session?: string) => ({
  authorization: `Bearer ${key}`,
  'content-type': 'application/json',
  accept: 'application/json, text/event-stream',
  ...(session !== undefined && { 'mcp-session-id': session }),
});

async function openSession(url: string, key: string, capabilities: object): Promise<string> {
  const response = await fetch(url, {
    method: 'POST',
    headers: headersFor(key),
    body: JSON.stringify({
      jsonrpc: '2.0',
      id: 0,
      method: 'initialize',
      params: {
        protocolVersion: '2025-11-25',
        capabilities,
        clientInfo: { name: 'test', version: '1' },
      },
    }),
  });
  await response.text();
  return response.headers.get('mcp-session-id') ?? '';
}

const call = {
  jsonrpc: '2.0',
  id: 7,
  method: 'tools/call',
  params: { name: 'test_elicitation', arguments: { message: 'Who?' } },
};

test('an answer posted to another ingress reaches the call', { timeout: 60_000 }, async () => {
  await using cluster = await startTestCluster({ ingresses: 2, conformance: true, tenants });
  const [first, second] = cluster.ingresses.map(({ ready }) => ready.mcp);
  if (first === undefined || second === undefined) throw new Error('Two ingresses were asked for');
  const key = cluster.apiKey;
  const stranger = await createKey(cluster, 'other', 'bob');
  const session = await openSession(first, key, { elicitation: {} });
  const foreign = await openSession(first, stranger, { elicitation: {} });

  const response = await fetch(first, {
    method: 'POST',
    headers: headersFor(key, session),
    body: JSON.stringify(call),
  });
  const events = response.body?.pipeThrough(new TextDecoderStream()).getReader();
  const read = async () =>
    JSON.parse(/^data: (.*)$/m.exec((await events?.read())?.value ?? '')?.[1] ?? '');
  const question = await read();
  expect(question).toMatchObject({ method: 'elicitation/create', params: { message: 'Who?' } });

  const answer = (username: string) =>
    JSON.stringify({
      jsonrpc: '2.0',
      id: question.id,
      result: { action: 'accept', content: { username, email: 'a@example.com' } },
    });
  const send = (url: string, by: string, own: string, username: string) =>
    fetch(url, { method: 'POST', headers: headersFor(by, own), body: answer(username) });
  // Whoever guessed the id of the question would still answer in a session of their own.
  expect((await send(second, stranger, foreign, 'mallory')).status).toBe(202);
  expect((await send(second, stranger, session, 'mallory')).status).toBe(404);
  expect((await send(second, key, session, 'ann')).status).toBe(202);
  const { result } = await read();
  expect(result.content[0].text).toContain('"username":"ann"');

  // A client that cannot answer is not asked.
  const mute = await openSession(first, key, {});
  const refused = await fetch(second, {
    method: 'POST',
    headers: headersFor(key, mute),
    body: JSON.stringify(call),
  });
  const text = await refused.text();
  expect(text).toContain('"isError":true');
  expect(text).not.toContain('elicitation/create"');
});
