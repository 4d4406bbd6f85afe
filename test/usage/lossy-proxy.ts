/** A way to AWS on which requests and answers get lost, as a test decides. */
import { createServer, request, type IncomingMessage, type ServerResponse } from 'node:http';
import { buffer } from 'node:stream/consumers';

/** What becomes of one request: it passes, is never delivered, or its answer is never delivered. */
export type Fate = 'passes' | 'request lost' | 'answer lost';

export async function startLossyProxy(target: string, fateOf: () => Fate) {
  const { hostname, port } = new URL(target);

  const forward = async (incoming: IncomingMessage, response: ServerResponse): Promise<void> => {
    const body = await buffer(incoming);
    const fate = fateOf();
    if (fate === 'request lost') return void response.destroy();
    const { method, url: path, headers } = incoming;
    const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
    // With its own Host header, which is signed.
    request({ hostname, port, method, path, headers }, resolve).on('error', reject).end(body);
    const answer = await promise;
    const content = await buffer(answer);
    if (fate === 'answer lost') return void response.destroy();
    response.writeHead(answer.statusCode ?? 500, answer.rawHeaders).end(content);
  };

  const server = createServer((incoming, response) => {
    forward(incoming, response).catch(() => response.destroy());
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return {
    url: `http://127.0.0.1:${address.port}`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => {
        server.close(resolve);
      });
    },
  };
}
