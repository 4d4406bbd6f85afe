/** Which loopback ports are free. Another process may take one before it is used. */
import { once } from 'node:events';
import { createServer } from 'node:net';
import { SetupError } from './setup-error.ts';

const loopback = '127.0.0.1';

export async function findFreePort(): Promise<number> {
  const server = createServer();
  server.listen(0, loopback);
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('a TCP server has a port');
  return address.port;
}

/** @throws {SetupError} naming the first port that somebody listens on. */
export async function assertFree(ports: readonly number[]): Promise<void> {
  for (const port of ports) {
    const server = createServer();
    try {
      server.listen(port, loopback);
      await once(server, 'listening');
    } catch (cause) {
      throw new SetupError(`Port ${port} is taken. Choose another with --port.`, { cause });
    }
    server.close();
    await once(server, 'close');
  }
}
