/** AWS on a bad day: an HTTP proxy in front of it that delays, refuses, loses answers or hangs. */
import { createServer, request, type IncomingMessage, type ServerResponse } from 'node:http';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';

export type Mood = 'well' | 'slow' | 'throttling' | 'failing' | 'hanging';

export interface AwsProxy extends AsyncDisposable {
  readonly url: string;
  mood: Mood;
}

const slowMs = 700;

export async function startAwsProxy(target: string): Promise<AwsProxy> {
  const upstream = new URL(target);
  const hanging = new Set<ServerResponse>();
  let requests = 0;

  const pass = async (incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> => {
    const { method = 'GET', url = '/', headers } = incoming;
    const forward = request({
      host: upstream.hostname,
      port: upstream.port,
      method,
      path: url,
      headers,
    });
    incoming.pipe(forward);
    const [answer] = (await once(forward, 'response')) as [IncomingMessage];
    if (proxy.mood === 'failing') {
      // It happened, and whoever asked is told that it did not.
      answer.resume();
      await once(answer, 'end');
      refuse(incoming, outgoing, 500, 'InternalFailure');
      return;
    }
    outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
    answer.pipe(outgoing);
  };

  const serve = async (incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> => {
    requests += 1;
    switch (proxy.mood) {
      case 'hanging':
        incoming.resume();
        hanging.add(outgoing);
        return;
      case 'throttling':
        incoming.resume();
        return refuse(incoming, outgoing, 400, 'ThrottlingException');
      case 'failing':
        if (requests % 2 === 0) return pass(incoming, outgoing);
        incoming.resume();
        return refuse(incoming, outgoing, 500, 'InternalFailure');
      case 'slow':
        await sleep(slowMs);
        return pass(incoming, outgoing);
      case 'well':
        return pass(incoming, outgoing);
    }
  };

  const server = createServer((incoming, outgoing) => {
    serve(incoming, outgoing).catch(() => outgoing.destroy());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  let mood: Mood = 'well';
  const proxy: AwsProxy = {
    url: `http://127.0.0.1:${address.port}`,
    get mood() {
      return mood;
    },
    set mood(next) {
      mood = next;
      for (const each of hanging) each.destroy();
      hanging.clear();
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
    },
  };
  return proxy;
}

/** As the service that was asked would say it. */
function refuse(
  { headers }: IncomingMessage,
  outgoing: ServerResponse,
  status: number,
  code: string,
): void {
  if (headers['x-amz-target'] !== undefined) {
    outgoing.writeHead(status, { 'content-type': 'application/x-amz-json-1.1' });
    outgoing.end(JSON.stringify({ __type: code, message: 'a bad day' }));
    return;
  }
  outgoing.writeHead(status === 400 ? 503 : status, { 'content-type': 'application/xml' });
  outgoing.end(`<Error><Code>${status === 400 ? 'SlowDown' : code}</Code></Error>`);
}
