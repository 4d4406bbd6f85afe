/**
 * Standard output: one message to a line, nothing else. Whoever writes waits while the client does
 * not read, so that answers stay where they come from instead of piling up here.
 */
import type { Writable } from 'node:stream';

export interface Output {
  /** Resolves once there is room for more. The text is JSON; line ends between its tokens are taken out. */
  readonly write: (text: string) => Promise<void>;
  /** Resolves once there is room. */
  readonly room: () => Promise<void>;
  /** Resolves once the client can no longer be reached. */
  readonly closed: Promise<void>;
  /** Resolves once everything is written, or `timeoutMs` have passed. */
  readonly flush: (timeoutMs: number) => Promise<void>;
}

export function createOutput(stream: Writable): Output {
  const { promise: closed, resolve: close } = Promise.withResolvers<void>();
  stream.on('error', () => close());
  stream.on('close', () => close());
  let room: Promise<void> | undefined;

  const untilDrained = (): Promise<void> =>
    new Promise((resolve) => {
      stream.once('drain', resolve);
      void closed.then(resolve);
    });

  return {
    closed,
    room: () => room ?? Promise.resolve(),
    async write(text) {
      if (stream.destroyed) return;
      if (stream.write(`${oneLine(text)}\n`)) return;
      room ??= untilDrained().finally(() => (room = undefined));
      await room;
    },
    flush(timeoutMs) {
      const written = new Promise<void>((resolve) => {
        stream.write('', () => resolve());
      });
      const late = new Promise<void>((resolve) => {
        setTimeout(resolve, timeoutMs).unref();
      });
      return Promise.race([written, closed, late]);
    },
  };
}

/** Inside of strings JSON has no line ends, so those that are there separate tokens. */
function oneLine(json: string): string {
  return /[\r\n]/.test(json) ? json.replaceAll(/[\r\n]+/g, ' ').trim() : json;
}
