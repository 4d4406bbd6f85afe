/** Calls with anything odd about them, one thing or several, for whoever has to treat all of them alike. */
import { Fault, FaultCode } from '../../shared/faults.ts';

const envelope = {
  'io.modelcontextprotocol/protocolVersion': '2026-07-28',
  'io.modelcontextprotocol/clientCapabilities': {},
  'io.modelcontextprotocol/clientInfo': { name: 'raw', version: '1' },
};

type Json = Record<string, unknown>;
export interface Draft {
  readonly body: Json;
  readonly params: Json;
  readonly meta: Json;
  readonly headers: Record<string, string | undefined>;
  key: 'admin' | 'viewer' | 'nobody';
  session: 'none' | 'own' | 'forged' | 'of another';
}
export type Oddity = readonly [what: string, (draft: Draft) => void];

/** As it goes into JSON, where `-0` and `__proto__` are possible. */
const raw = (text: string): unknown => JSON.parse(text);
const setting = (
  part: 'body' | 'params' | 'meta' | 'headers',
  key: string,
  value: unknown,
): Oddity => [
  `${part}.${key} = ${JSON.stringify(value)}`,
  (draft) =>
    void Object.defineProperty(draft[part], key, {
      value,
      enumerable: true,
      writable: true,
      configurable: true,
    }),
];

const io = (name: string): string => `io.modelcontextprotocol/${name}`;
/** Each is asked for something that is not plain, or is no good at all, or only looks so. */
export const oddities: readonly Oddity[] = [
  ...[0, '', 'ä\n', raw('-0'), 1.5, raw('1e21'), null, {}, undefined].map((id) =>
    setting('body', 'id', id),
  ),
  ...['1.0', undefined].map((version) => setting('body', 'jsonrpc', version)),
  ...['tools/list', 'constructor', 5, undefined].map((method) => setting('body', 'method', method)),
  ...[undefined, null, [], 'text'].map((params) => setting('body', 'params', params)),
  setting('body', 'extra', true),
  setting('body', '__proto__', {}),
  ...['kv_get', 'kv_set', 'nope', 'constructor', '', 5, undefined].map((name) =>
    setting('params', 'name', name),
  ),
  ...[
    undefined,
    null,
    [],
    {},
    { text: 5 },
    { text: 'ä', more: [null] },
    raw('{"__proto__":1}'),
  ].map((input) => setting('params', 'arguments', input)),
  setting('params', 'task', { ttl: 5 }),
  setting('params', 'inputResponses', {}),
  setting('params', 'requestState', 'x'),
  setting('params', 'more', 1),
  ...[null, [], 'text'].map((meta) => setting('params', '_meta', meta)),
  ...['7', 7, {}, null].map((token) => setting('meta', 'progressToken', token)),
  ...['2025-11-25', '2099-01-01', 5, null].map((v) => setting('meta', io('protocolVersion'), v)),
  ...[
    { elicitation: {}, roots: { listChanged: true } },
    { extensions: { [io('tasks')]: {} } },
    { sampling: 5 },
    'all',
    undefined,
  ].map((abilities) => setting('meta', io('clientCapabilities'), abilities)),
  ...[{ name: 'x' }, undefined, 'me'].map((info) => setting('meta', io('clientInfo'), info)),
  ...['debug', 'loud'].map((level) => setting('meta', io('logLevel'), level)),
  setting('meta', io('related-task'), { taskId: 'x' }),
  setting('meta', io('related-task'), 5),
  setting('meta', io('unheard-of'), 1),
  setting('meta', 'vendor/note', { any: 'thing' }),
  ...['once', '', 5].map((key) => setting('meta', 'agent-mesh/idempotencyKey', key)),
  setting('meta', 'traceparent', `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`),
  setting('headers', 'traceparent', `00-${'c'.repeat(32)}-${'d'.repeat(16)}-01`),
  setting('headers', 'idempotency-key', 'once'),
  ...['2026-07-28', '2025-11-25', '2025-03-26', '2024-10-07', '2099-01-01', 'x', undefined].map(
    (version) => setting('headers', 'mcp-protocol-version', version),
  ),
  ...['tools/list', undefined].map((method) => setting('headers', 'mcp-method', method)),
  ...['kv_get', '=?base64?ZGlhZ25vc3RpY3NfZWNobw==?=', '=?base64?%?=', undefined].map((name) =>
    setting('headers', 'mcp-name', name),
  ),
  ...['application/json', 'text/event-stream', '*/*', 'text/html'].map((accept) =>
    setting('headers', 'accept', accept),
  ),
  setting('headers', 'last-event-id', '1'),
  setting('headers', 'content-type', 'application/json; charset=utf-8'),
  ...['kv_set', 'nope'].map((name): Oddity => [
    `${name} by one who may only read`,
    (draft) => {
      draft.key = 'viewer';
      draft.params['name'] = name;
      draft.headers['mcp-name'] &&= name;
    },
  ]),
  ...(['viewer', 'nobody'] as const).map((key): Oddity => [key, (draft) => void (draft.key = key)]),
  ...(['own', 'forged', 'of another'] as const).map((session): Oddity => [
    `session: ${session}`,
    (draft) => void (draft.session = session),
  ]),
];

/** What a call may come to, by name. Each time anew, since a fault is an object of its own. */
export const endings: Record<string, () => string> = {
  text: () => '{"content":[{"type":"text","text":"{}"}],"structuredContent":{}}',
  unicode: () =>
    JSON.stringify({
      content: [{ type: 'text', text: 'ä☃\u2028\n"' }],
      structuredContent: { ä: null },
    }),
  bug: () => {
    throw new Error('secret');
  },
  ...Object.fromEntries(
    FaultCode.options.flatMap((code) => [
      [
        code,
        () => {
          throw new Fault(code, 'No');
        },
      ],
      [
        `${code}, for a while`,
        () => {
          throw new Fault(code, 'Not now.', { retryAfterMs: 1_500 });
        },
      ],
    ]),
  ),
};

export function draftOf(era: 'modern' | 'legacy', odd: readonly Oddity[]): Draft {
  const meta: Json = era === 'modern' ? { ...envelope } : {};
  const params: Json = { name: 'diagnostics_echo', arguments: { text: 'hello' }, _meta: meta };
  const body: Json = { jsonrpc: '2.0', id: 7, method: 'tools/call', params };
  const headers: Draft['headers'] =
    era === 'modern'
      ? {
          'mcp-protocol-version': '2026-07-28',
          'mcp-method': 'tools/call',
          'mcp-name': 'diagnostics_echo',
        }
      : { 'mcp-protocol-version': '2025-11-25' };
  const draft: Draft = { body, params, meta, headers, key: 'admin', session: 'none' };
  for (const [, change] of odd) change(draft);
  return draft;
}
