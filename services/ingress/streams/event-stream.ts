/**
 * A stream of events that has no end of its own. It is never silent for so long that a proxy takes
 * it for dead, and keeps nothing for a client that does not read: that one is cut off.
 */
import type { ServerResponse } from 'node:http';

export interface EventStream {
  /** Puts a JSON-RPC message on it. `id` is what a client that comes back has heard last. */
  send(message: object, id: string): void;
  /** An event without a message, from which the client learns where it is. */
  mark(id: string): void;
  end(): void;
  /** Resolves once nothing more can be sent. */
  readonly closed: Promise<void>;
}

export interface EventStreamOptions {
  /** Milliseconds without progress after which a client that does not read is cut off. */
  readonly stallMs: number;
  /** Milliseconds between signs of life. Default 15,000. */
  readonly aliveMs?: number;
}

/** Far more than a client that reads leaves unread. */
const maxUnreadBytes = 1_048_576;

/** Sends the head at once, so that the client knows that it is heard. */
export function openEventStream(
  response: ServerResponse,
  { stallMs, aliveMs = 15_000 }: EventStreamOptions,
): EventStream {
  response.writeHead(200, {
    'content-type': 'text/event-stream',
    'cache-control': 'no-cache, no-transform',
    'x-accel-buffering': 'no',
  });
  response.once('timeout', () => response.destroy());
  response.on('drain', () => response.setTimeout(0));
  const write = (text: string): void => {
    if (response.destroyed || response.writableEnded) return;
    if (response.write(text)) return;
    response.setTimeout(stallMs);
    if (response.writableLength > maxUnreadBytes) response.destroy();
  };
  const alive = (): void => {
    if (!response.writableNeedDrain) write(': alive\n\n');
  };
  const timer = setInterval(alive, aliveMs);
  const closed = new Promise<void>((resolve) => {
    response.once('close', resolve);
  }).finally(() => clearInterval(timer));
  if (response.destroyed) clearInterval(timer);
  alive();
  return {
    closed,
    send: (message, id) => write(`event: message\nid: ${id}\ndata: ${JSON.stringify(message)}\n\n`),
    mark: (id) => write(`id: ${id}\ndata: \n\n`),
    end() {
      response.setTimeout(stallMs);
      response.end();
    },
  };
}
