/**
 * The public keys of one issuer, fetched when first needed and again from time to time. A key id
 * that is not among them makes us look once more, since keys rotate, but seldom, since anybody can
 * invent one. A bad answer changes nothing: the last good set stays.
 */
import { createLocalJWKSet, errors, type JWTVerifyGetKey } from 'jose';
import { z } from 'zod';
import { findKeysUrl } from './discovery.ts';
import { fetchJson } from './fetch-json.ts';
import type { Issuer } from './issuer.ts';

export class KeysUnavailable extends Error {
  override readonly name = 'KeysUnavailable';
}

export interface KeySetPorts {
  /** Told of each fetch that failed. */
  readonly onProblem: (what: string, cause: unknown) => void;
  /** Monotonic milliseconds. */
  readonly now?: () => number;
  /** The least time between two fetches, in ms. */
  readonly cooldownMs?: number;
  /** The age at which a set is fetched again, in ms. */
  readonly refreshMs?: number;
}

const maxKeys = 100;

/** Only these: `oct` is a shared secret, and a key with `d` is a private one that somebody lost. */
const PublicKey = z.looseObject({
  kty: z.enum(['RSA', 'EC', 'OKP']),
  kid: z.string().max(256).optional(),
  use: z.literal('sig').optional(),
  d: z.undefined().optional(),
});
const Document = z.object({ keys: z.array(z.unknown()).max(maxKeys) });

/**
 * Finds the key for a token's header, as jose asks for it. Rejects with jose's `JWKSNoMatchingKey`,
 * or with `KeysUnavailable` as long as no set could ever be fetched.
 */
export function createKeySet(issuer: Issuer, ports: KeySetPorts): JWTVerifyGetKey {
  const { cooldownMs = 10_000, refreshMs = 600_000, now = () => performance.now() } = ports;
  let keys: JWTVerifyGetKey | undefined;
  let askedAt = Number.NEGATIVE_INFINITY;
  let pending: Promise<void> | undefined;

  async function fetchKeys(): Promise<void> {
    askedAt = now();
    try {
      keys = await readKeys(issuer);
    } catch (cause) {
      ports.onProblem(`The keys of ${issuer.issuer} cannot be read`, cause);
    } finally {
      pending = undefined;
    }
  }

  /** Resolves at once if it is too early to ask again. */
  function refresh(): Promise<void> {
    if (pending === undefined && now() - askedAt < cooldownMs) return Promise.resolve();
    return (pending ??= fetchKeys());
  }

  return async (header, token) => {
    if (!keys) await refresh();
    else if (now() - askedAt >= refreshMs) void refresh();
    if (!keys) throw new KeysUnavailable(`No keys of ${issuer.issuer}`);
    try {
      return await keys(header, token);
    } catch (cause) {
      if (!(cause instanceof errors.JWKSNoMatchingKey)) throw cause;
      await refresh();
      return keys(header, token);
    }
  };
}

async function readKeys(issuer: Issuer): Promise<JWTVerifyGetKey> {
  const document = Document.parse(await fetchJson(await findKeysUrl(issuer)));
  const usable = document.keys.flatMap((key) => PublicKey.safeParse(key).data ?? []);
  if (usable.length === 0) throw new Error('No public signing key among them');
  return createLocalJWKSet({ keys: usable });
}
