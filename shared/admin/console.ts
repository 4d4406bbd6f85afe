/**
 * The console on the admin port: its page for everybody, its API for whoever is signed in. Every
 * route stands behind the same guard, in one place.
 */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { ZodError } from 'zod';
import { Fault } from '../faults.ts';
import type { AdminAccounts } from './accounts.ts';
import { addConsoleFiles } from './console-files.ts';
import { addEvents, type Watch } from './events.ts';
import { createGuard } from './guard.ts';
import { Refusal } from './refusal.ts';
import type { Ask, ConsoleRoute } from './route.ts';
import { addSignIn } from './sign-in.ts';
import type { Visits } from './visits.ts';

export interface ConsolePorts {
  readonly accounts: AdminAccounts;
  readonly visits: Visits;
  readonly watch: Watch;
  readonly routes: readonly ConsoleRoute[];
  readonly onSignIn: (name: string | undefined, address: string) => void;
  readonly onProblem: (what: string, cause: unknown) => void;
}

export interface ConsoleOptions {
  /** The built page. */
  readonly folder: string;
  /** Host names accepted besides loopback ones. */
  readonly allowedHosts: readonly string[];
}

export function createConsole(
  options: ConsoleOptions,
  ports: ConsolePorts,
): (app: FastifyInstance) => Promise<void> {
  const { visits, routes } = ports;
  const guard = createGuard(
    visits,
    options.allowedHosts.map((host) => host.toLowerCase()),
  );

  const serve = async (route: ConsoleRoute, request: FastifyRequest): Promise<object> => {
    const visit = await guard.visitOf(request);
    const { params, query, body } = request;
    const ask: Ask = { visit, params, query, body };
    if (route.method !== 'GET') {
      guard.assertOwnPage(request);
      guard.assertOwnToken(request, visit);
      if (visit.role !== 'operator') {
        await route.onForbidden?.(ask);
        throw new Refusal(403, 'Viewers may look and change nothing.');
      }
    }
    return route.handle(ask);
  };

  return async (app) => {
    app.addHook('onRequest', async (request, reply) => guard.admit(request, reply));
    app.setErrorHandler((error, _request, reply) => answerThrown(error, reply, ports.onProblem));
    addConsoleFiles(app, options.folder);
    app.addHook('onRequest', async (request, reply) => {
      if (request.url.startsWith('/api/')) reply.header('cache-control', 'no-store');
    });
    addSignIn(app, { ...ports, guard });
    addEvents(app, { guard, watch: ports.watch });
    for (const route of routes) {
      const { method, path } = route;
      app.route({ method, url: `/api${path}`, handler: (request) => serve(route, request) });
    }
  };
}

/** Errors whose text is meant for whoever asked. */
const statusByName: Readonly<Record<string, number>> = { TenantChanged: 409, FieldError: 422 };

function answerThrown(
  error: unknown,
  reply: FastifyReply,
  onProblem: ConsolePorts['onProblem'],
): FastifyReply {
  const answer = (status: number, text: string) => reply.status(status).send({ error: text });
  if (error instanceof Refusal) {
    const { status, message, retryAfterSeconds } = error;
    if (retryAfterSeconds !== undefined) reply.header('retry-after', retryAfterSeconds);
    return answer(status, message);
  }
  if (error instanceof ZodError) return answer(400, error.issues[0]?.message ?? 'Not valid');
  if (error instanceof Fault && error.code !== 'internal') return answer(422, error.message);
  const status = error instanceof Error ? statusByName[error.name] : undefined;
  if (error instanceof Error && status !== undefined) return answer(status, error.message);
  if (isBadRequest(error)) return answer(error.statusCode, error.message);
  onProblem('the console could not answer', error);
  return answer(503, 'Redis or DynamoDB does not answer. Try again.');
}

/** A body that is no JSON, or too large, as Fastify says it. */
function isBadRequest(error: unknown): error is Error & { statusCode: number } {
  return (
    error instanceof Error &&
    'statusCode' in error &&
    typeof error.statusCode === 'number' &&
    error.statusCode < 500
  );
}
