/** `/api/events`: the state of the cluster each second, for as long as somebody looks. */
import type { ServerResponse } from 'node:http';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { ClusterView } from './api.ts';
import type { Guard } from './guard.ts';
import { Refusal } from './refusal.ts';

export interface Watch {
  /** Calls back with what was seen lately, then with each new state. Returns a function that stops it. */
  start(onView: (views: readonly ClusterView[]) => void): () => void;
}

const mostStreams = 50;
/** A visit that has ended must not go on looking. */
const checkEveryMs = 5_000;

export function addEvents(
  app: FastifyInstance,
  ports: { readonly guard: Guard; readonly watch: Watch },
): void {
  const { guard, watch } = ports;
  const open = new Set<ServerResponse>();

  function stream(request: FastifyRequest, response: ServerResponse): void {
    open.add(response);
    const send = (views: readonly ClusterView[]): void => {
      // Whoever does not read gets the next state, not all that it has missed.
      if (response.writableNeedDrain) return;
      response.write(`data: ${JSON.stringify(views)}\n\n`);
    };
    const stop = watch.start(send);
    const check = setInterval(() => {
      guard.visitOf(request).catch(() => response.end('event: over\ndata:\n\n'));
    }, checkEveryMs);
    response.once('close', () => {
      open.delete(response);
      clearInterval(check);
      stop();
    });
  }

  app.get('/api/events', async (request, reply) => {
    await guard.visitOf(request);
    if (open.size >= mostStreams) throw new Refusal(503, 'Too many pages look at once.');
    reply.hijack();
    const headers = { ...reply.getHeaders(), 'content-type': 'text/event-stream' };
    for (const [name, value] of Object.entries(headers)) {
      if (value !== undefined) reply.raw.setHeader(name, value);
    }
    reply.raw.writeHead(200);
    reply.raw.write('retry: 1000\n\n');
    stream(request, reply.raw);
  });
  app.addHook('onClose', async () => {
    for (const response of open) response.destroy();
  });
}
