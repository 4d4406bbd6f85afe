/**
 * HTTP in front of the protocol: one route, who may ask from where, and how much. Everything is
 * refused here that needs no tool: a foreign Host or Origin, a bad token, a body that is too
 * large, slow, or not JSON. Each request ends in one record for the log.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import {
  isJsonContentType,
  ProtocolErrorCode,
  validateHostHeader,
  validateOriginHeader,
} from '@modelcontextprotocol/server';
import { fastify, type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import { Fault } from '../../shared/faults.ts';
import { isTraceparent } from './call-facts.ts';
import { send } from './node-exchange.ts';
import type { ProtectedResource } from './protected-resource.ts';
import { BodyTooLarge, ClientGone, refuseBody } from './request-body.ts';
import { httpError, toHttpAnswer } from './respond.ts';
import { whileAnswering } from './telemetry/current-request.ts';

/** One request, for log and metrics. Holds no argument, token or result. */
export interface RequestRecord {
  /** HTTP status; 499 if the client left before the answer. */
  status: number;
  ms: number;
  /** JSON-RPC method, if it has a usual name. */
  method?: string;
  /** Name of a tool of the catalog. */
  tool?: string;
  tenant?: string;
  /** Id of the call once it is accepted. */
  invocation?: string;
  /** How the call ended: completed, task, or the code of a fault. */
  outcome?: string;
  /** As the header carries it, if its form is right. */
  traceparent?: string;
  trace_id?: string;
  span_id?: string;
}

export type Route = (
  request: IncomingMessage,
  response: ServerResponse,
  record: RequestRecord,
) => Promise<void>;

export interface HttpPorts {
  /** Answers requests of `/mcp`. What it throws is answered here. */
  readonly mcp: Route;
  /** Absent: this ingress takes API keys alone, and has nothing to tell OAuth clients. */
  readonly resource?: ProtectedResource | undefined;
  /** Host names accepted besides loopback ones, in `Host` and in `Origin`. */
  readonly allowedHosts: readonly string[];
  /** Milliseconds a client has to send a whole request. */
  readonly requestTimeoutMs: number;
  readonly onRequest: (record: RequestRecord) => void;
  readonly onProblem: (what: string, cause: unknown) => void;
}

export interface Http {
  readonly app: FastifyInstance;
  /** Requests that have no whole answer yet. */
  inFlight(): number;
  /** Stops accepting, waits at most `drainMs` for requests in flight, then closes every connection. */
  drain(drainMs: number): Promise<void>;
}

const loopbackNames = ['localhost', '127.0.0.1', '[::1]'];

/** Above the idle timeout of usual load balancers, so that it is never we who close first. */
const keepAliveMs = 65_000;

export function createHttp(ports: HttpPorts): Http {
  const allowed = [...loopbackNames, ...ports.allowedHosts.map((host) => host.toLowerCase())];
  const open = new Set<ServerResponse>();
  let onIdle: (() => void) | undefined;
  let draining = false;

  async function take(
    { raw: request }: FastifyRequest,
    reply: FastifyReply,
    route: Route,
  ): Promise<void> {
    reply.hijack();
    const response = reply.raw;
    const record = track(request, response);
    try {
      if (draining) throw new Fault('overloaded', 'This ingress is closing', { retryAfterMs: 0 });
      if (!isExpected(request, allowed)) return send(response, forbidden);
      await whileAnswering(record, () => route(request, response, record));
    } catch (cause) {
      await answerThrown(cause, request, response, ports);
    }
  }

  function track({ headers }: IncomingMessage, response: ServerResponse): RequestRecord {
    const begun = performance.now();
    const record: RequestRecord = { status: 0, ms: 0 };
    if (isTraceparent(headers['traceparent'])) record.traceparent = headers['traceparent'];
    open.add(response);
    response.once('close', () => {
      open.delete(response);
      record.status = response.writableFinished ? response.statusCode : 499;
      record.ms = Math.round(performance.now() - begun);
      ports.onRequest(record);
      if (open.size === 0) onIdle?.();
    });
    return record;
  }

  const app = fastify({
    requestTimeout: ports.requestTimeoutMs,
    keepAliveTimeout: keepAliveMs,
    forceCloseConnections: 'idle',
    return503OnClosing: false,
    http: {
      headersTimeout: ports.requestTimeoutMs,
      connectionsCheckingInterval: Math.min(5_000, ports.requestTimeoutMs),
    },
  });
  app.removeAllContentTypeParsers();
  // The body stays unread until the caller is known.
  app.addContentTypeParser('*', (_request, _payload, done) => done(null));
  app.route({
    method: ['POST', 'GET', 'DELETE', 'PUT', 'PATCH', 'OPTIONS', 'HEAD'],
    url: '/mcp',
    handler: (request, reply) => take(request, reply, ports.mcp),
  });
  for (const path of ports.resource?.paths ?? []) {
    app.get(path, (request, reply) => take(request, reply, metadataOf(ports.resource)));
  }
  app.setNotFoundHandler((request, reply) => take(request, reply, notFound));

  return {
    app,
    inFlight: () => open.size,
    async drain(drainMs) {
      draining = true;
      // So that nobody sends a further request on a connection that is about to close.
      for (const response of open) {
        if (!response.headersSent) response.setHeader('connection', 'close');
      }
      const closed = app.close();
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, drainMs);
        onIdle = () => {
          clearTimeout(timer);
          resolve();
        };
        if (open.size === 0) onIdle();
      });
      app.server.closeAllConnections();
      await closed;
    },
  };
}

const forbidden = httpError(403, {
  code: ProtocolErrorCode.InvalidRequest,
  message: 'Forbidden Host or Origin',
});

const notFound: Route = async (_request, response) =>
  send(response, { status: 404, body: '{"error":"Not found"}' });

function metadataOf(resource: ProtectedResource | undefined): Route {
  const headers = { 'cache-control': 'public, max-age=300' };
  return async (_request, response) =>
    send(response, { status: 200, headers, body: resource?.document ?? '' });
}

function isExpected({ headers }: IncomingMessage, allowed: string[]): boolean {
  return (
    validateHostHeader(headers.host, allowed).ok && validateOriginHeader(headers.origin, allowed).ok
  );
}

/** False if the request has been answered here, since it is no POST of JSON. */
export function isPostOfJson(request: IncomingMessage, response: ServerResponse): boolean {
  if (request.method !== 'POST') {
    const error = { code: ProtocolErrorCode.InvalidRequest, message: 'Method not allowed' };
    send(response, httpError(405, error, { headers: { allow: 'POST' } }));
    return false;
  }
  if (!isJsonContentType(request.headers['content-type'])) {
    const message = 'Content-Type must be application/json';
    send(response, httpError(415, { code: ProtocolErrorCode.InvalidRequest, message }));
    return false;
  }
  return true;
}

async function answerThrown(
  cause: unknown,
  request: IncomingMessage,
  response: ServerResponse,
  { onProblem, resource }: HttpPorts,
): Promise<void> {
  if (cause instanceof ClientGone) return;
  if (cause instanceof BodyTooLarge) {
    const message = 'The body is larger than 4 MiB. Larger objects go by presigned URL.';
    const error = { code: ProtocolErrorCode.InvalidRequest, message };
    return refuseBody(request, response, httpError(413, error));
  }
  const fault = Fault.from(cause);
  if (fault.cause !== undefined) onProblem(`${fault.code}: ${fault.message}`, fault.cause);
  const tokenSent = request.headers.authorization !== undefined;
  if (response.headersSent) response.destroy();
  else send(response, toHttpAnswer(fault, { tokenSent, metadataUrl: resource?.metadataUrl }));
}
