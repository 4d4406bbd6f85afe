/**
 * The admin port of a process: is it alive, is it ready, what does it count. Nothing of that names a
 * tenant, so that probes and scrapers on other machines may see it where ADMIN_HOST lets them.
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
  /** Where it answers on this machine, such as `http://127.0.0.1:<port>`. */
  readonly url: string;
  close(): Promise<void>;
}

export interface AdminAddress {
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
}

/** Rejects with the error of `listen`, such as EADDRINUSE. */
export async function startAdmin({ host, port }: AdminAddress, ports: AdminPorts): Promise<Admin> {
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
  await app.listen({ host, port });
  const address = app.server.address();
  const bound = typeof address === 'string' ? port : (address?.port ?? port);
  return { url: `http://${reachable(host)}:${bound}`, close: () => app.close() };
}

/** As part of a URL. Who listens on every address also answers on the loopback one. */
function reachable(host: string): string {
  if (host === '0.0.0.0' || host === '::') return '127.0.0.1';
  return host.includes(':') ? `[${host}]` : host;
}
