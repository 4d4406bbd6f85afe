/**
 * Between Node's streams and the SDK's web objects, for one exchange. The SDK gets a `Request`
 * without a body, as the body is parsed already. Its `Response` goes out as one write if it is
 * JSON, and with backpressure if it is a stream. The head waits for the first chunk, so that a
 * refusal during the call can still set the status.
 */
import type { IncomingHttpHeaders, ServerResponse } from 'node:http';
import type { HttpAnswer } from './respond.ts';

/** All that the SDK looks at. */
const passedOn = ['content-type', 'mcp-protocol-version', 'mcp-method', 'mcp-name'];

export function toWebRequest(headers: IncomingHttpHeaders): Request {
  const passed = new Headers({ accept: acceptOf(headers.accept) });
  for (const name of passedOn) {
    const value = headers[name];
    if (typeof value === 'string') passed.set(name, value);
  }
  return new Request('http://ingress/mcp', { method: 'POST', headers: passed });
}

/** A client that takes anything takes both; the SDK wants to see both named. */
export function acceptOf(accept: string | undefined): string {
  return accept === undefined || accept.includes('*/*')
    ? 'application/json, text/event-stream'
    : accept;
}

/** Writes a whole answer. Harmless if the client has gone. */
export function send(response: ServerResponse, { status, headers, body }: HttpAnswer): void {
  if (response.headersSent || response.destroyed) return;
  const described =
    body === ''
      ? { 'content-length': 0 }
      : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) };
  response.writeHead(status, { ...described, ...headers }).end(body);
}

/** Puts a message of our own on an answer that is a stream of events. The SDK's come in whole events. */
export function writeEvent(response: ServerResponse, message: string): void {
  if (response.destroyed) return;
  if (!response.headersSent) response.writeHead(200, eventStream);
  response.write(`event: message\ndata: ${message}\n\n`);
}

/** The last message of such an answer, or its only one: then head and message are one write. */
export function sendEvent(response: ServerResponse, message: string): void {
  if (response.destroyed) return;
  const event = `event: message\ndata: ${message}\n\n`;
  if (!response.headersSent) {
    response.writeHead(200, { ...eventStream, 'content-length': Buffer.byteLength(event) });
  }
  response.end(event);
}

const eventStream = {
  'content-type': 'text/event-stream',
  'cache-control': 'no-cache, no-transform',
  'x-accel-buffering': 'no',
};

/** As often as the SDK does it. */
const keepAliveMs = 15_000;

/** Shows a client that waits for an event, and whatever is in between, that it still may; returns the way to stop. */
export function keepAlive(response: ServerResponse): () => void {
  const timer = setInterval(() => {
    if (response.destroyed || response.writableNeedDrain) return;
    if (!response.headersSent) response.writeHead(200, eventStream);
    response.write(': keepalive\n\n');
  }, keepAliveMs);
  return () => clearInterval(timer);
}

/** Once everything is written: a client that does not read it is cut off after so long without progress. */
export function cutOffStalled(response: ServerResponse, stallMs: number): void {
  if (response.writableLength === 0) return;
  response.once('timeout', () => response.destroy());
  response.setTimeout(stallMs);
}

export interface WriteOptions {
  /** Asked once, before the head goes out: the answer to give instead. */
  readonly refusal: () => HttpAnswer | undefined;
  /** Milliseconds without progress after which a client that does not read is cut off. */
  readonly stallMs: number;
}

/** Resolves once everything is written or the client has gone. */
export async function writeResponse(
  answer: Response,
  response: ServerResponse,
  options: WriteOptions,
): Promise<void> {
  response.once('timeout', () => response.destroy());
  const { body } = answer;
  if (body === null || !answer.headers.get('content-type')?.startsWith('text/event-stream')) {
    const text = body === null ? '' : await answer.text();
    response.setTimeout(options.stallMs);
    return send(
      response,
      options.refusal() ?? { status: answer.status, headers: headersOf(answer), body: text },
    );
  }
  const reader = body.getReader();
  const stop = () => void reader.cancel().catch(() => undefined);
  response.once('close', stop);
  try {
    if (response.destroyed) return stop();
    await pump(reader, answer, response, options);
  } finally {
    response.off('close', stop);
  }
}

async function pump(
  reader: ReadableStreamDefaultReader<Uint8Array>,
  answer: Response,
  response: ServerResponse,
  { refusal, stallMs }: WriteOptions,
): Promise<void> {
  let chunk = await reader.read();
  const refused = refusal();
  if (refused) {
    await reader.cancel();
    return send(response, refused);
  }
  if (response.destroyed) return;
  if (!response.headersSent) response.writeHead(answer.status, headersOf(answer));
  while (!chunk.done && !response.destroyed) {
    if (!response.write(chunk.value)) await drained(response, stallMs);
    chunk = await reader.read();
  }
  response.setTimeout(stallMs);
  response.end();
}

/** Resolves once the client has read, or has gone, or was cut off. */
function drained(response: ServerResponse, stallMs: number): Promise<void> {
  response.setTimeout(stallMs);
  return new Promise((resolve) => {
    const settle = () => {
      response.off('drain', settle).off('close', settle);
      // Between chunks the client waits for us.
      response.setTimeout(0);
      resolve();
    };
    response.once('drain', settle).once('close', settle);
  });
}

function headersOf({ headers }: Response): Record<string, string> {
  const { connection: _, ...rest } = Object.fromEntries(headers);
  return rest;
}
