/**
 * 2025-era clients only: the `Mcp-Session-Id` header as a signed token, so that every ingress
 * can check it and none has to remember it. It names one client of one principal, which makes
 * the JSON-RPC ids of that client unique across the cluster.
 */
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { z } from 'zod';
import type { Principal } from '../../shared/tenants/tenant.ts';

const Claims = z.object({ n: z.string(), t: z.string(), u: z.string(), i: z.number() });

/** A token of ours is far shorter; anything longer is not worth a hash. */
const maxTokenLength = 1_024;

/** An id that a client chose may be of any length, and travels to every ingress. */
const maxRequestIdLength = 128;

export interface Sessions {
  mint(principal: Principal): string;
  /** The session's nonce, or undefined if the token is forged or belongs to another principal. */
  verify(token: string, principal: Principal): string | undefined;
}

/** `key` signs the tokens: at least 32 bytes, the same at every ingress of a cluster. */
export function createSessions(key: Uint8Array): Sessions {
  const sign = (payload: string) => createHmac('sha256', key).update(payload).digest();
  return {
    mint({ tenant, user }) {
      const nonce = randomBytes(12).toString('base64url');
      const claims = { n: nonce, t: tenant.id, u: user.id, i: Date.now() };
      const payload = Buffer.from(JSON.stringify(claims)).toString('base64url');
      return `${payload}.${sign(payload).toString('base64url')}`;
    },
    verify(token, { tenant, user }) {
      if (token.length > maxTokenLength) return undefined;
      const [payload = '', mark = '', ...rest] = token.split('.');
      const expected = sign(payload);
      const given = Buffer.from(mark, 'base64url');
      if (rest.length > 0 || given.length !== expected.length) return undefined;
      if (!timingSafeEqual(given, expected)) return undefined;
      const claims = Claims.parse(JSON.parse(Buffer.from(payload, 'base64url').toString()));
      return claims.t === tenant.id && claims.u === user.id ? claims.n : undefined;
    },
  };
}

/** Names one call of one session across the cluster; undefined if the id is none that can be cancelled. */
export function cancelKey(nonce: string, id: string | number | undefined): string | undefined {
  if (id === undefined || String(id).length > maxRequestIdLength) return undefined;
  // 1 and "1" are different ids.
  return `${nonce}:${typeof id}:${id}`;
}
