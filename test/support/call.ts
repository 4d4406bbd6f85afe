/** Calls as a plain HTTP client of 2025-11-25 makes them, without an SDK in between. */
import { randomUUID } from 'node:crypto';
import { request, Agent } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  /** The JSON-RPC message, or undefined if the body is none. */
  readonly message: Message | undefined;
  readonly text: string;
}

export interface Message {
  readonly result?: {
    readonly isError?: boolean;
    readonly content?: readonly { readonly type: string; readonly text: string }[];
    readonly structuredContent?: Readonly<Record<string, unknown>>;
    readonly tools?: readonly { readonly name: string }[];
    readonly _meta?: Readonly<Record<string, unknown>>;
  };
  readonly error?: { readonly code: number; readonly message: string; readonly data?: unknown };
}

const agent = new Agent({ keepAlive: true, maxSockets: 1_024 });
let lastId = 0;

export interface Endpoint {
  readonly mcp: string;
  readonly apiKey?: string;
}

/** Posts a body as it is. */
export function post(
  { mcp, apiKey }: Endpoint,
  body: string | Buffer,
  headers: Readonly<Record<string, string>> = {},
): Promise<Answer> {
  const { promise, resolve, reject } = Promise.withResolvers<Answer>();
  const outgoing = request(
    mcp,
    {
      method: 'POST',
      agent,
      headers: {
        'content-type': 'application/json',
        accept: 'application/json, text/event-stream',
        'mcp-protocol-version': '2025-11-25',
        ...(apiKey === undefined ? {} : { authorization: `Bearer ${apiKey}` }),
        ...headers,
      },
    },
    (incoming) => {
      const chunks: Buffer[] = [];
      incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
      incoming.on('error', reject);
      incoming.on('end', () => {
        const text = Buffer.concat(chunks).toString('utf8');
        const status = incoming.statusCode ?? 0;
        resolve({ status, headers: incoming.headers, text, message: toMessage(text) });
      });
    },
  );
  outgoing.on('error', reject);
  outgoing.end(body);
  return promise;
}

export function rpc(endpoint: Endpoint, method: string, params: unknown = {}): Promise<Answer> {
  return post(endpoint, JSON.stringify({ jsonrpc: '2.0', id: (lastId += 1), method, params }));
}

export function callTool(
  endpoint: Endpoint,
  name: string,
  args: Readonly<Record<string, unknown>>,
  meta: Readonly<Record<string, unknown>> = {},
): Promise<Answer> {
  return rpc(endpoint, 'tools/call', { name, arguments: args, _meta: meta });
}

/**
 * As a client does that is told to come back: a busy machine may refuse a burst with 503. The key
 * makes it one call, also if the first try had been accepted and only its answer came too late.
 */
export async function callUntilAccepted(
  endpoint: Endpoint,
  name: string,
  args: Readonly<Record<string, unknown>>,
): Promise<Answer> {
  const meta = { 'agent-mesh/idempotencyKey': randomUUID() };
  for (;;) {
    const answer = await callTool(endpoint, name, args, meta);
    if (answer.status !== 503) return answer;
    await sleep(Number(answer.headers['retry-after']) * 1_000);
  }
}

/** The result object of a call that must succeed. */
export async function resultOf(
  endpoint: Endpoint,
  name: string,
  args: Readonly<Record<string, unknown>>,
): Promise<Readonly<Record<string, unknown>>> {
  const { message, text } = await callTool(endpoint, name, args);
  const result = message?.result;
  if (!result?.structuredContent || result.isError) throw new Error(`${name} failed: ${text}`);
  return result.structuredContent;
}

/** A JSON body, or the last data line of an event stream. */
function toMessage(text: string): Message | undefined {
  const lines = text.split(/\r?\n/).filter((line) => line.startsWith('data: '));
  try {
    return JSON.parse(lines.at(-1)?.slice('data: '.length) ?? text) as Message;
  } catch {
    return undefined;
  }
}
