/**
 * What a browser must be before the console listens to it: it asks under a name of this machine,
 * it is signed in, and what it changes comes from the console's own page.
 */
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Refusal } from './refusal.ts';
import type { Visit, Visits } from './visits.ts';

const loopbackNames = new Set(['localhost', '127.0.0.1', '[::1]']);
const cookieName = 'mesh_admin';
const csrfHeader = 'x-mesh-csrf';

/** Nothing from another host, nothing inline, in nobody's frame. */
const pageHeaders = {
  'content-security-policy':
    "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'",
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'permissions-policy': 'camera=(), geolocation=(), microphone=()',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
};

export interface Guard {
  /** Before anything else. @throws {Refusal} for a foreign `Host`, which a rebound name would send. */
  admit(request: FastifyRequest, reply: FastifyReply): void;
  /** @throws {Refusal} if nobody is signed in. */
  visitOf(request: FastifyRequest): Promise<Visit>;
  /** @throws {Refusal} unless the page of the console itself sent this. */
  assertOwnPage(request: FastifyRequest): void;
  /** @throws {Refusal} unless the visitor's own page sent this. */
  assertOwnToken(request: FastifyRequest, visit: Visit): void;
}

/** `allowedHosts` are names besides loopback ones, in lower case. */
export function createGuard(visits: Visits, allowedHosts: readonly string[]): Guard {
  return {
    admit(request, reply) {
      reply.headers(pageHeaders);
      const name = hostName(request);
      if (!loopbackNames.has(name) && !allowedHosts.includes(name)) {
        throw new Refusal(403, 'Forbidden Host');
      }
    },

    async visitOf(request) {
      const id = readCookie(request);
      const visit = id === undefined ? undefined : await visits.find(id);
      if (!visit) throw new Refusal(401, 'Sign in first.');
      return visit;
    },

    assertOwnPage({ headers }) {
      const { origin, host } = headers;
      const site = headers['sec-fetch-site'];
      const isOwn = origin === `http://${host}` || origin === `https://${host}`;
      if (!isOwn || (site !== undefined && site !== 'same-origin')) {
        throw new Refusal(403, 'This did not come from the console.');
      }
    },

    assertOwnToken({ headers }, { csrf }) {
      if (headers[csrfHeader] !== csrf) {
        throw new Refusal(403, 'This did not come from the console.');
      }
    },
  };
}

export function readCookie({ headers }: FastifyRequest): string | undefined {
  const pairs = (headers.cookie ?? '').split(';').map((pair) => pair.trim().split('='));
  return pairs.find(([name]) => name === cookieName)?.[1];
}

/** An empty id takes the cookie away. */
export function toCookie(id: string, request: FastifyRequest): string {
  const attributes = [`${cookieName}=${id}`, 'HttpOnly', 'SameSite=Strict', 'Path=/'];
  // Not every browser takes a loopback address without TLS for secure.
  if (!loopbackNames.has(hostName(request))) attributes.push('Secure');
  if (id === '') attributes.push('Max-Age=0');
  return attributes.join('; ');
}

function hostName({ headers }: FastifyRequest): string {
  return (headers.host ?? '').toLowerCase().replace(/:\d*$/, '');
}
