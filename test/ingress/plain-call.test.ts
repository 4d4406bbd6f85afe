/**
 * The short path for plain calls against the SDK's: the same request at two ingresses, of which
 * one has no short path. What a client sees of them, and what they hand on, must not differ.
 */
import * as fc from 'fast-check';
import { IncomingMessage } from 'node:http';
import { Socket } from 'node:net';
import { describe, expect, test } from 'vitest';
import { createFindPlainCall } from '../../services/ingress/plain-call.ts';
import type { ToolCall } from '../../services/ingress/tool-call.ts';
import { createCatalog } from '../../shared/tools/catalog.ts';
import { draftOf, endings, oddities, type Draft } from './odd-calls.ts';
import { aChannel, aPrincipal, keyring, post, someSessions, startIngress } from './an-ingress.ts';

const shown = [
  'content-type',
  'cache-control',
  'x-accel-buffering',
  'retry-after',
  'www-authenticate',
  'mcp-session-id',
  'allow',
];

/** Everything that a client can tell of an answer. */
async function seen(response: Response): Promise<unknown> {
  const text = await response.text();
  const isStream = response.headers.get('content-type')?.startsWith('text/event-stream');
  return {
    status: response.status,
    headers: shown.map((name) => response.headers.get(name)),
    body: isStream
      ? text
          .split('\n\n')
          .map((event) =>
            event
              .split('\n')
              .map((line) => (line.startsWith('data: ') ? JSON.parse(line.slice(6)) : line)),
          )
      : text && JSON.parse(text),
  };
}

function heard({ signal: _signal, onProgress, onLog, ...call }: ToolCall): unknown {
  return { ...call, onProgress: typeof onProgress, onLog: typeof onLog };
}

async function startPair() {
  const keys = keyring();
  const tokens = {
    admin: keys.issue(aPrincipal('acme', { role: 'Admin' })),
    viewer: keys.issue(aPrincipal('acme', { id: 'bob', role: 'Viewer' })),
    other: keys.issue(aPrincipal('globex', { role: 'Admin' })),
    nobody: `am_${'x'.repeat(43)}`,
  };
  const sessions = someSessions(7);
  const world = { ending: 'text' };
  const start = async (plainCalls?: 'through the SDK') => {
    const log: unknown[] = [];
    const ingress = await startIngress({
      directory: keys.directory,
      sessions,
      cancellations: aChannel(),
      tasks: {
        get: async () => ({}),
        update: async () => undefined,
        cancel: async () => undefined,
      },
      callTool: async (call) => {
        log.push(heard(call));
        return endings[world.ending]?.() ?? '';
      },
      onForbidden: ({ user }, tool) => void log.push(['forbidden', user.id, tool]),
      onProblem: (what) => void log.push(['problem', what]),
      ...(plainCalls && { plainCalls }),
    });
    return { ...ingress, log };
  };
  const [short, long] = [await start(), await start('through the SDK')];
  const initialize = {
    jsonrpc: '2.0',
    id: 1,
    method: 'initialize',
    params: {
      protocolVersion: '2025-11-25',
      capabilities: {},
      clientInfo: { name: 'raw', version: '1' },
    },
  };
  const open = async (key: string): Promise<string> =>
    (await post({ mcp: long.mcp, key }, initialize)).headers.get('mcp-session-id') ?? '';
  const own = await open(tokens.admin);
  const sessionsBy = {
    none: undefined,
    own,
    forged: `${own.slice(0, -2)}xx`,
    'of another': await open(tokens.other),
  };
  return { short, long, tokens, sessionsBy, world };
}

type Pair = Awaited<ReturnType<typeof startPair>>;

async function ask(which: 'short' | 'long', draft: Draft, pair: Pair): Promise<unknown> {
  const { mcp, log } = pair[which];
  log.length = 0;
  const headers = { ...draft.headers, 'mcp-session-id': pair.sessionsBy[draft.session] };
  const answer = await seen(await post({ mcp, key: pair.tokens[draft.key] }, draft.body, headers));
  return { answer, log: [...log] };
}

async function expectSame(draft: Draft, pair: Pair): Promise<void> {
  const [short, long] = await Promise.all([ask('short', draft, pair), ask('long', draft, pair)]);
  expect(short).toEqual(long);
}

const eras = ['modern', 'legacy'] as const;
const slow = { timeout: 60_000 };

const aCase = fc.record({
  era: fc.constantFrom(...eras),
  odd: fc.subarray([...oddities], { maxLength: 3 }),
  ending: fc.oneof(fc.constant('text'), fc.constantFrom(...Object.keys(endings))),
});

describe('the short path', () => {
  test.each(eras)('is that of a plain call (%s)', async (era) => {
    const find = createFindPlainCall(createCatalog({ diagnostics: true }));
    const { body, headers } = draftOf(era, []);
    const request = Object.assign(new IncomingMessage(new Socket()), { headers });
    const own = aPrincipal('acme', { role: 'Admin' });
    for (const id of [1, 2]) {
      const found = find({ ...body, id }, request, own);
      expect(found).toMatchObject({
        id,
        era,
        name: 'diagnostics_echo',
        arguments: { text: 'hello' },
      });
    }
  });

  test.each(eras)(
    'answers as the SDK does, whatever is odd about a call (%s)',
    slow,
    async (era) => {
      const pair = await startPair();
      await using _short = pair.short;
      await using _long = pair.long;
      for (const odd of oddities) await expectSame(draftOf(era, [odd]), pair);
    },
  );

  test('does so if several things are odd at once', slow, async () => {
    const pair = await startPair();
    await using _short = pair.short;
    await using _long = pair.long;
    await fc.assert(
      fc.asyncProperty(aCase, async ({ era, odd, ending }) => {
        pair.world.ending = ending;
        await expectSame(draftOf(era, odd), pair);
      }),
      // As many as a slow machine has time for.
      { numRuns: 150, interruptAfterTimeLimit: 20_000 },
    );
  });

  test.each(eras)('tells every end of a call in the same words (%s)', slow, async (era) => {
    const pair = await startPair();
    await using _short = pair.short;
    await using _long = pair.long;
    for (const ending of Object.keys(endings)) {
      pair.world.ending = ending;
      await expectSame(draftOf(era, []), pair);
    }
  });
});
