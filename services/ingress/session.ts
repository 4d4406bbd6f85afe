/**
 * 2025-era clients only: the `Mcp-Session-Id` header as a signed token, so that every ingress can
 * check it and none has to remember it. It names one client of one principal, which makes the
 * JSON-RPC ids of that client unique across the cluster. Redis knows which sessions still stand.
 */
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { z } from 'zod';
import { Fault } from '../../shared/faults.ts';
import type { SigningKeys } from '../../shared/identity/signing-keys.ts';
import type { SigningKey } from '../../shared/identity/signing-secret.ts';
import type { SessionStore } from '../../shared/sessions/session-store.ts';
import type { Principal, Tenant } from '../../shared/tenants/tenant.ts';

const Claims = z.object({
  n: z.string(),
  t: z.string(),
  u: z.string(),
  /** What the client can be asked for. */
  a: z.array(z.string()).default([]),
});

type Claims = z.output<typeof Claims>;

/** So many tokens of one key are remembered as good. */
const mostVerified = 10_000;

/** A token of ours is far shorter; anything longer is not worth a hash. */
const maxTokenLength = 1_024;

/** An id that a client chose may be of any length, and travels to every ingress. */
const maxRequestIdLength = 128;

const maxClientLength = 64;

/** A Redis that stalls must not use up the second within which a client hears a refusal. */
const storeWithinMs = 200;

const keysRetryMs = 1_000;

export interface SessionsPorts {
  readonly keys: Pick<SigningKeys, 'current' | 'find'>;
  readonly store: SessionStore;
  readonly onProblem: (what: string, cause: unknown) => void;
}

/** Every function throws a `Fault` `overloaded` as long as no signing key could be read. */
export interface Sessions {
  /** Resolves with a new session's token. `client` is the client's own name for itself. */
  open(principal: Principal, client: string, abilities?: readonly string[]): Promise<string>;
  /** What the client of a session that was checked can be asked for. */
  abilities(token: string): readonly string[];
  /**
   * The session's nonce, or undefined if the token is forged, belongs to another principal, or its
   * session is over.
   */
  check(token: string, principal: Principal): Promise<string | undefined>;
  /** False if there was no such session. @throws {Fault} `overloaded` without Redis. */
  close(token: string, principal: Principal): Promise<boolean>;
}

export function createSessions({ keys, store, onProblem }: SessionsPorts): Sessions {
  /** What each key has signed is good as long as the key is at hand, and need not be computed anew. */
  const verified = new WeakMap<SigningKey, Map<string, Claims>>();

  function currentKey(): SigningKey {
    const key = keys.current();
    if (key) return key;
    throw new Fault('overloaded', 'Sessions cannot be signed or checked yet', {
      retryAfterMs: keysRetryMs,
    });
  }

  async function nonceOf(token: string, principal: Principal): Promise<string | undefined> {
    currentKey();
    if (token.length > maxTokenLength) return undefined;
    const [payload = '', keyId = '', mark = '', ...rest] = token.split('.');
    if (rest.length > 0 || mark === '') return undefined;
    const key = await keys.find(keyId);
    const claims = key && (verified.get(key)?.get(token) ?? verify(token, key, payload, mark));
    const { tenant, user } = principal;
    return claims?.t === tenant.id && claims.u === user.id ? claims.n : undefined;
  }

  function verify(token: string, key: SigningKey, payload: string, mark: string) {
    if (!isSignedBy(key, payload, mark)) return undefined;
    const claims = toClaims(payload);
    const known = verified.get(key) ?? new Map<string, Claims>();
    if (known.size >= mostVerified) known.clear();
    verified.set(key, known.set(token, claims));
    return claims;
  }

  /** Calls of one client that came in the same turn of the event loop ask Redis once. */
  const asking = new Map<string, Promise<boolean>>();
  function touch(tenant: Tenant, nonce: string): Promise<boolean> {
    const asked = asking.get(nonce) ?? inTime(store.touch(tenant, nonce));
    if (!asking.has(nonce)) setImmediate(() => asking.delete(nonce));
    asking.set(nonce, asked);
    return asked;
  }

  return {
    async open(principal, client, abilities = []) {
      const key = currentKey();
      const { tenant, user } = principal;
      const id = randomBytes(12).toString('hex');
      const session = { id, user: user.id, client: toClientName(client) };
      try {
        await inTime(store.open(tenant, session));
      } catch (cause) {
        // Nothing else works without Redis either. Once it is back, this client initializes anew.
        onProblem('A session was not recorded', cause);
      }
      return toToken({ n: id, t: tenant.id, u: user.id, a: [...abilities] }, key);
    },

    async check(token, principal) {
      const nonce = await nonceOf(token, principal);
      if (nonce === undefined) return undefined;
      try {
        return (await touch(principal.tenant, nonce)) ? nonce : undefined;
      } catch {
        // By its signature alone: a session grants nothing beyond the token that came with it.
        return nonce;
      }
    },

    abilities: (token) => toClaims(token.split('.')[0] ?? '').a,

    async close(token, principal) {
      const nonce = await nonceOf(token, principal);
      if (nonce === undefined) return false;
      try {
        return (await inTime(store.end(principal.tenant, [nonce]))) > 0;
      } catch (cause) {
        throw new Fault('overloaded', 'The session cannot be ended now', {
          retryAfterMs: keysRetryMs,
          cause,
        });
      }
    },
  };
}

const toClaims = (payload: string): Claims =>
  Claims.parse(JSON.parse(Buffer.from(payload, 'base64url').toString()));

function toToken(claims: z.input<typeof Claims>, key: SigningKey): string {
  const payload = Buffer.from(JSON.stringify(claims)).toString('base64url');
  return `${payload}.${key.id}.${sign(key, payload).toString('base64url')}`;
}

const sign = ({ id, key }: SigningKey, payload: string): Buffer =>
  createHmac('sha256', key).update(`${payload}.${id}`).digest();

function isSignedBy(key: SigningKey, payload: string, mark: string): boolean {
  const expected = sign(key, payload);
  const given = Buffer.from(mark, 'base64url');
  return given.length === expected.length && timingSafeEqual(given, expected);
}

/** For operators' eyes: what cannot be printed is left out. */
function toClientName(text: string): string {
  const printable = text.slice(0, 4 * maxClientLength).replaceAll(/[\p{C}\p{Zl}\p{Zp}]/gu, '');
  // By code points: half of one could not be printed.
  return Array.from(printable).slice(0, maxClientLength).join('');
}

async function inTime<Result>(work: Promise<Result>): Promise<Result> {
  let timer: NodeJS.Timeout | undefined;
  const tooLong = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(new Error(`Redis did not answer within ${storeWithinMs} ms`)),
      storeWithinMs,
    );
  });
  try {
    return await Promise.race([work, tooLong]);
  } finally {
    clearTimeout(timer);
  }
}

/** Names one call of one session across the cluster; undefined if the id is none that can be cancelled. */
export function cancelKey(nonce: string, id: string | number | undefined): string | undefined {
  if (id === undefined || String(id).length > maxRequestIdLength) return undefined;
  // 1 and "1" are different ids.
  return `${nonce}:${typeof id}:${id}`;
}
