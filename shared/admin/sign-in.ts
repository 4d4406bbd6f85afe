/** `/api/session`: a token for a cookie, who is signed in, and the end of it. */
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import type { AdminAccounts } from './accounts.ts';
import type { SignedIn } from './api.ts';
import { readCookie, toCookie, type Guard } from './guard.ts';
import { Refusal } from './refusal.ts';
import type { Visit, Visits } from './visits.ts';

export interface SignInPorts {
  readonly accounts: AdminAccounts;
  readonly visits: Visits;
  readonly guard: Guard;
  /** Hears who came, and that somebody was turned away. Never a token. */
  readonly onSignIn: (name: string | undefined, address: string) => void;
}

const SignIn = z.object({ token: z.string().max(200) });
const retrySeconds = 60;

export function addSignIn(app: FastifyInstance, ports: SignInPorts): void {
  const { accounts, visits, guard, onSignIn } = ports;

  app.post('/api/session', async (request, reply) => {
    guard.assertOwnPage(request);
    if (!(await visits.mayTry(request.ip))) {
      throw new Refusal(429, 'Too many wrong tokens. Wait a minute.', retrySeconds);
    }
    const { token } = SignIn.parse(request.body);
    const account = await accounts.find(token);
    onSignIn(account?.name, request.ip);
    if (!account) {
      await visits.countFailure(request.ip);
      throw new Refusal(401, 'This token is not known.');
    }
    const { id, visit } = await visits.begin(account);
    // Taken away meanwhile: then nobody else would end this visit.
    if (!(await accounts.find(token))) {
      await visits.end(id);
      throw new Refusal(401, 'This token is not known.');
    }
    reply.header('set-cookie', toCookie(id, request));
    return toSignedIn(visit);
  });

  app.get('/api/session', (request) => guard.visitOf(request).then(toSignedIn));

  app.delete('/api/session', async (request, reply) => {
    const visit = await guard.visitOf(request);
    guard.assertOwnPage(request);
    guard.assertOwnToken(request, visit);
    await visits.end(readCookie(request) ?? '');
    reply.header('set-cookie', toCookie('', request));
    return {};
  });
}

function toSignedIn({ name, role, csrf }: Visit): SignedIn {
  return { name, role, csrf };
}
