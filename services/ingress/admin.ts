/**
 * The operator's port: alive, ready, and a few numbers. It never shares a socket with clients,
 * and answers while the other port is draining.
 */
import { fastify, type FastifyInstance } from 'fastify';

export interface AdminPorts {
  /** Why this process should get no traffic now; empty if it should. A rejection is a reason too. */
  readonly reasonsNotReady: () => Promise<readonly string[]>;
  /** Prometheus text. */
  readonly metrics: () => string;
}

export function createAdmin(ports: AdminPorts): FastifyInstance {
  const app = fastify({ forceCloseConnections: true });

  app.get('/healthz', async () => ({ status: 'alive' }));

  app.get('/readyz', async (_request, reply) => {
    const reasons = await ports.reasonsNotReady().catch(() => ['The check itself failed']);
    const ready = reasons.length === 0;
    return reply.code(ready ? 200 : 503).send({ status: ready ? 'ready' : 'not ready', reasons });
  });

  app.get('/metrics', async (_request, reply) =>
    reply.type('text/plain; version=0.0.4; charset=utf-8').send(ports.metrics()),
  );

  app.setNotFoundHandler(async (_request, reply) => reply.code(404).send({ error: 'Not found' }));
  return app;
}
