/**
 * The admin port of a process, on loopback: is it alive, is it ready, what does it count.
 * Nothing here names a tenant.
 */
import { fastify, type FastifyInstance } from 'fastify';

export interface AdminPorts {
  /** Why the process should get no work now; empty if it is ready. */
  notReady(): readonly string[];
  /** In Prometheus' text format. */
  metrics(): Promise<string>;
  /** What else is on this port, behind a guard of its own: the console. */
  readonly routes?: (app: FastifyInstance) => Promise<void>;
}

export interface Admin {
  /** `http://127.0.0.1:<port>` */
  readonly url: string;
  close(): Promise<void>;
}

/** Port 0 takes a free one. Rejects with the error of `listen`, such as EADDRINUSE. */
export async function startAdmin(port: number, ports: AdminPorts): Promise<Admin> {
  const app = fastify({ forceCloseConnections: true });
  app.get('/healthz', () => ({ status: 'alive' }));
  app.get('/readyz', (_request, reply) => {
    const reasons = ports.notReady();
    return reasons.length === 0
      ? { status: 'ready' }
      : reply.status(503).send({ status: 'not ready', reasons });
  });
  app.get('/metrics', async (_request, reply) =>
    reply.type('text/plain; version=0.0.4; charset=utf-8').send(await ports.metrics()),
  );
  app.setNotFoundHandler((_request, reply) => reply.status(404).send({ error: 'Not found' }));
  if (ports.routes) await app.register(ports.routes);
  await app.listen({ host: '127.0.0.1', port });
  const address = app.server.address();
  const bound = typeof address === 'string' ? port : (address?.port ?? port);
  return { url: `http://127.0.0.1:${bound}`, close: () => app.close() };
}
