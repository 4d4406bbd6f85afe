/**
 * One HTTP/1.1 connection that is kept alive, with as little around it as can be: the client must
 * never be what is measured. Requests may be pipelined; answers come in the order of the requests.
 * A connection that the other side closes is opened again, and what was in flight is reported.
 */
import { connect, type Socket } from 'node:net';
import { readAnswer, type Answer } from './read-answer.ts';

export interface Connection {
  send(request: string): void;
  close(): void;
}

export interface ConnectionEvents {
  /** Of the oldest request in flight. */
  onAnswer(answer: Answer): void;
  /** Everything in flight is lost. */
  onLost(): void;
}

export async function openConnection(url: URL, events: ConnectionEvents): Promise<Connection> {
  let socket = await open();
  let received: Buffer | undefined;
  let closed = false;

  function open(): Promise<Socket> {
    const opened = connect({ host: url.hostname, port: Number(url.port), noDelay: true });
    opened.on('data', onData);
    opened.on('close', () => void onClose(opened));
    return new Promise((resolve, reject) => {
      opened.once('connect', () => resolve(opened));
      opened.on('error', reject);
    });
  }

  function onData(chunk: Buffer): void {
    let bytes = received ? Buffer.concat([received, chunk]) : chunk;
    received = undefined;
    while (bytes.length > 0) {
      const answer = readAnswer(bytes);
      if (!answer) {
        received = bytes;
        return;
      }
      bytes = bytes.subarray(answer.length);
      events.onAnswer(answer);
    }
  }

  async function onClose(which: Socket): Promise<void> {
    if (closed || which !== socket) return;
    received = undefined;
    socket = await open();
    events.onLost();
  }

  return {
    send: (request) => void socket.write(request),
    close() {
      closed = true;
      socket.destroy();
    },
  };
}
