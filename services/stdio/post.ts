/**
 * One message to an ingress over Streamable HTTP. On `node:http` rather than the SDK's transport:
 * that takes four times as long to load, reports no status, and cannot tell a request that was
 * never sent, and may be sent again, from one whose answer was lost.
 */
import type { ClientRequest, IncomingMessage } from 'node:http';
import type { Endpoint } from './endpoint.ts';
import { readLines } from './lines.ts';

export interface Exchange {
  readonly endpoint: Endpoint;
  readonly method?: 'POST' | 'GET' | 'DELETE';
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  readonly signal: AbortSignal;
  /** Waited for before more of the answer is read: what the client does not take stays with the ingress. */
  readonly room?: () => Promise<void>;
}

export interface Answer {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  /** The texts of its messages, as they arrive: one, or a stream of them. Ends with the answer. */
  readonly messages: AsyncIterable<string>;
}

export type Post = (exchange: Exchange) => Promise<Answer>;

/** The request was never sent: sending it again does no harm. */
export class Unreachable extends Error {
  override readonly name = 'Unreachable';
}

const connectWithinMs = 5_000;

/** Above the time that an ingress takes for a call, and several of its keep-alives in a stream. */
const silenceMs = 75_000;

/** Sockets are shared by all requests of one process. */
export async function createPost(secure: boolean): Promise<{ post: Post; close: () => void }> {
  const { request, Agent } = await (secure ? import('node:https') : import('node:http'));
  const agent = new Agent({ keepAlive: true, maxSockets: Infinity });

  const post: Post = ({ endpoint, method = 'POST', headers, body, signal, room }) => {
    const { promise, resolve, reject } = Promise.withResolvers<Answer>();
    const outgoing = request(endpoint.url, {
      method,
      agent,
      signal,
      headers: {
        'content-type': 'application/json',
        'content-length': Buffer.byteLength(body),
        accept: 'application/json, text/event-stream',
        ...(endpoint.token === undefined ? {} : { authorization: `Bearer ${endpoint.token}` }),
        ...headers,
      },
    });
    const connection = watchConnection(outgoing, secure);
    outgoing.setTimeout(silenceMs, () =>
      outgoing.destroy(new Error(`no byte came for ${silenceMs / 1_000} s`)),
    );
    outgoing.on('error', (cause) =>
      reject(connection.isMade() ? cause : new Unreachable(cause.message, { cause })),
    );
    outgoing.on('response', (incoming: IncomingMessage) =>
      resolve({
        status: incoming.statusCode ?? 0,
        headers: incoming.headers,
        messages: messagesOf(incoming, room ?? (async () => undefined)),
      }),
    );
    outgoing.end(body);
    return promise;
  };
  return { post, close: () => agent.destroy() };
}

function watchConnection(outgoing: ClientRequest, secure: boolean): { isMade: () => boolean } {
  let made = false;
  const tooLate = (): unknown =>
    outgoing.destroy(new Error(`no connection within ${connectWithinMs} ms`));
  const timer = setTimeout(tooLate, connectWithinMs);
  const done = (): void => {
    made = true;
    clearTimeout(timer);
  };
  outgoing.once('close', () => clearTimeout(timer));
  outgoing.once('socket', (socket) => {
    if (outgoing.reusedSocket || !socket.connecting) done();
    else socket.once(secure ? 'secureConnect' : 'connect', done);
  });
  return { isMade: () => made };
}

async function* messagesOf(
  incoming: IncomingMessage,
  room: () => Promise<void>,
): AsyncGenerator<string> {
  const slowly = chunksOf(incoming, room);
  if (!incoming.headers['content-type']?.startsWith('text/event-stream')) {
    const chunks: Buffer[] = [];
    for await (const chunk of slowly) chunks.push(chunk);
    const text = Buffer.concat(chunks).toString('utf8');
    if (text.trim() !== '') yield text;
    return;
  }
  let data: string[] = [];
  for await (const line of readLines(slowly)) {
    if (line?.startsWith('data:')) data.push(line.slice('data:'.length).trimStart());
    if (line !== '' || data.length === 0) continue;
    const text = data.join('\n');
    data = [];
    if (text !== '') yield text;
  }
}

async function* chunksOf(
  incoming: IncomingMessage,
  room: () => Promise<void>,
): AsyncGenerator<Buffer> {
  for await (const chunk of incoming) {
    await room();
    yield chunk;
  }
}
