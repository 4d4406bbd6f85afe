import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { describe, expect, test } from 'vitest';
import type { Load, Measured } from './load/load.ts';
import { runLoad } from './load/run-load.ts';

interface Call {
  readonly id: number;
  readonly params: { readonly name: string; readonly arguments: { readonly text: string } };
}

type Answering = (call: Call, response: ServerResponse, request: IncomingMessage) => void;

const calls = 20;

async function loadOn(
  answering: Answering,
  load: Partial<Load> = {},
  stop?: AbortSignal,
): Promise<Measured> {
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () =>
      answering(JSON.parse(Buffer.concat(chunks).toString()) as Call, response, request),
    );
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const port = typeof address === 'object' ? address?.port : undefined;
  try {
    const whole: Load = {
      url: `http://127.0.0.1:${port}/mcp`,
      era: '2026-07-28',
      call: { tool: 'echo', arguments: '{"text":"$id"}', text: '$id' },
      connections: 2,
      calls,
      ...load,
    };
    return await runLoad(whole, stop);
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

function answerTo(id: number, text: string, more: object = {}): string {
  return JSON.stringify({
    jsonrpc: '2.0',
    id,
    result: { content: [{ type: 'text', text }], ...more },
  });
}

/** Right for all calls but one, whose answer is made by `wrong`. */
function lyingOnce(wrong: (call: Call, response: ServerResponse) => void): Answering {
  let seen = 0;
  return (call, response) => {
    seen += 1;
    if (seen === 3) wrong(call, response);
    else response.end(answerTo(call.id, call.params.arguments.text));
  };
}

describe('the load client', () => {
  test('makes as many calls as it is told, and finds right answers right', async () => {
    const measured = await loadOn((call, response) =>
      response.end(answerTo(call.id, call.params.arguments.text)),
    );

    expect(measured).toMatchObject({ calls, errors: 0, problems: [] });
    expect(measured.p50Ms).toBeLessThanOrEqual(measured.p99Ms);
    expect(measured.p99Ms).toBeLessThanOrEqual(measured.maxMs);
  });

  test.for<readonly [string, (call: Call, response: ServerResponse) => void, string]>([
    ['of another call', ({ id }, to) => to.end(answerTo(id + 1, `${id}`)), 'another id'],
    ['with another text', ({ id }, to) => to.end(answerTo(id, 'else')), 'another result'],
    [
      'that is a tool error',
      ({ id }, to) => to.end(answerTo(id, `${id}`, { isError: true })),
      'no result',
    ],
    ['that is no JSON', (_, to) => to.end('{"jsonrpc'), 'no result'],
    ['of another status', ({ id }, to) => to.writeHead(503).end(answerTo(id, `${id}`)), 'HTTP 503'],
    ['that never comes', (_, to) => to.destroy(), 'connection lost'],
  ])('counts an answer %s as an error', async ([, wrong, problem]) => {
    const { errors, problems } = await loadOn(lyingOnce(wrong));

    expect(errors).toBe(1);
    expect(problems).toEqual([expect.stringContaining(problem)]);
  });

  test('reads an answer that comes in pieces, as an event stream', async () => {
    const { errors } = await loadOn((call, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.write('event: message\n');
      response.write('data: {"jsonrpc":"2.0","method":"notifications/progress"}\n\n');
      response.end(`data: ${answerTo(call.id, call.params.arguments.text)}\n\n`);
    });

    expect(errors).toBe(0);
  });

  test('keeps several calls in flight on one connection, and matches their answers', async () => {
    let open = 0;
    let most = 0;
    const { errors } = await loadOn(
      (call, response) => {
        open += 1;
        most = Math.max(most, open);
        setImmediate(() => {
          open -= 1;
          response.end(answerTo(call.id, call.params.arguments.text));
        });
      },
      { connections: 1, depth: 5 },
    );

    expect(errors).toBe(0);
    expect(most).toBe(5);
  });

  test('says what the newer protocol asks for in headers, and lets tokens take turns', async () => {
    const seen: (string | undefined)[] = [];
    await loadOn(
      (call, response, { headers }) => {
        expect(headers['mcp-protocol-version']).toBe('2026-07-28');
        expect(headers['mcp-method']).toBe('tools/call');
        expect(headers['mcp-name']).toBe('echo');
        seen.push(headers.authorization);
        response.end(answerTo(call.id, call.params.arguments.text));
      },
      { connections: 1, calls: 4, tokens: ['a', 'b'] },
    );

    expect(seen).toEqual(['Bearer a', 'Bearer b', 'Bearer a', 'Bearer b']);
  });

  test('calls at its own beat until it is told to stop', async () => {
    const stop = new AbortController();
    let answered = 0;
    const server: Answering = (call, response) => {
      answered += 1;
      if (answered === 10) stop.abort();
      response.end(answerTo(call.id, call.params.arguments.text));
    };
    const beat = { calls: Infinity, everyMs: 5, keepSamples: true } as const;
    const measured = await loadOn(server, beat, stop.signal);

    expect(measured.samples).toHaveLength(measured.calls);
    expect(measured.calls).toBeGreaterThanOrEqual(10);
  });
});
