/**
 * Reads a request's body once, up to a limit, and parses it once. A body over the limit is
 * refused in an orderly way: the answer goes out whole, what still arrives is thrown away for a
 * while, and then the connection closes. Closing at once would reset it under the client's
 * hands, and the answer would be lost.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { HttpAnswer } from './respond.ts';

export class BodyTooLarge extends Error {
  override readonly name = 'BodyTooLarge';
}

export class ClientGone extends Error {
  override readonly name = 'ClientGone';
}

/** How much more of a refused body is taken in before the connection closes. */
const lingerBytes = 67_108_864;
const lingerMs = 5_000;

/**
 * @throws {BodyTooLarge} as soon as more than `maxBytes` are declared or have arrived.
 * @throws {ClientGone} if the client leaves in the middle.
 * @throws {SyntaxError} or {TypeError} if the body is not JSON in UTF-8.
 */
export async function readJson(request: IncomingMessage, maxBytes: number): Promise<unknown> {
  return JSON.parse(utf8.decode(await readBytes(request, maxBytes)));
}

/** One for all bodies: a whole one leaves nothing behind in it. */
const utf8 = new TextDecoder('utf-8', { fatal: true });

async function readBytes(request: IncomingMessage, maxBytes: number): Promise<Buffer> {
  if (Number(request.headers['content-length'] ?? 0) > maxBytes) throw new BodyTooLarge();
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    const settle = (settled: () => void) => {
      request.off('data', onData).off('end', onEnd).off('error', onGone).off('close', onGone);
      settled();
    };
    const onData = (chunk: Buffer) => {
      size += chunk.length;
      if (size > maxBytes) settle(() => reject(new BodyTooLarge()));
      else chunks.push(chunk);
    };
    const onEnd = () => settle(() => resolve(Buffer.concat(chunks, size)));
    const onGone = () => settle(() => reject(new ClientGone()));
    request.on('data', onData).on('end', onEnd).on('error', onGone).on('close', onGone);
  });
}

/** Answers a request whose body was not read to its end, then closes the connection. */
export async function refuseBody(
  request: IncomingMessage,
  response: ServerResponse,
  { status, headers, body }: HttpAnswer,
): Promise<void> {
  response.writeHead(status, {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(body),
    connection: 'close',
    ...headers,
  });
  response.write(body);
  await discard(request);
  response.end();
}

function discard(request: IncomingMessage): Promise<void> {
  return new Promise((resolve) => {
    let size = 0;
    const settle = () => {
      clearTimeout(timer);
      request.off('data', onData).off('end', settle).off('close', settle);
      resolve();
    };
    const onData = (chunk: Buffer) => {
      size += chunk.length;
      if (size > lingerBytes) settle();
    };
    const timer = setTimeout(settle, lingerMs);
    request.on('data', onData).on('end', settle).on('close', settle);
    // A failed read has already been answered.
    request.on('error', () => undefined);
  });
}
