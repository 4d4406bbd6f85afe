/** An AWS endpoint whose every answer a test decides: throttling, failures, silence. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { text } from 'node:stream/consumers';

export interface Asked {
  readonly path: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

export interface Answer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** Closes the connection in the middle of the body. */
  readonly cut?: boolean;
}

/** Answers a request; undefined leaves it without an answer. */
export type Script = (asked: Asked, count: number) => Answer | undefined;

export async function startScriptedCloud() {
  const asked: Asked[] = [];
  const seen = { connections: 0, cutOff: 0 };
  let script: Script = () => ({ status: 200, body: '{}' });

  const respond = (request: Asked, response: ServerResponse) => {
    asked.push(request);
    const answer = script(request, asked.length);
    if (answer === undefined) return;
    response.on('close', () => {
      if (!response.writableFinished) seen.cutOff += 1;
    });
    response.writeHead(answer.status, answer.headers);
    if (!answer.cut) return void response.end(answer.body);
    response.write(answer.body);
    setImmediate(() => response.destroy());
  };
  const server = createServer((request, response) => {
    const { url: path = '', headers } = request;
    void text(request).then((body) => respond({ path, headers, body }, response));
  });
  server.on('connection', () => {
    seen.connections += 1;
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return {
    url: `http://127.0.0.1:${address.port}`,
    /** What has arrived since the last `answer`. */
    asked,
    /** Connections made, and answers that the client did not take whole, since the start. */
    seen,
    answer(next: Script): void {
      asked.length = 0;
      script = next;
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => {
        server.close(resolve);
      });
    },
  };
}

export type ScriptedCloud = Awaited<ReturnType<typeof startScriptedCloud>>;
