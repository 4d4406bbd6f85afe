/**
 * Agents send one token with thousands of requests, and a signature costs more to check than all
 * else at the edge. A token that was good is taken as good for a minute more; whether it has
 * expired, and whether its tenant and user may act, is looked at each time by the caller.
 * Kept under the token's hash: the token itself is not.
 */
import { createHash } from 'node:crypto';
import type { Bearer } from './claims.ts';
import type { TokenVerifier } from './token-verifier.ts';

export interface RememberOptions {
  /** Milliseconds after which a token is checked again. A withdrawn signing key counts by then. */
  readonly forMs?: number;
  readonly capacity?: number;
  /** Monotonic milliseconds. */
  readonly now?: () => number;
}

export function rememberTokens(
  verifier: TokenVerifier,
  options: RememberOptions = {},
): TokenVerifier {
  const { forMs = 60_000, capacity = 10_000, now = () => performance.now() } = options;
  const good = new Map<string, { readonly bearer: Bearer; readonly until: number }>();
  return {
    async verify(token) {
      const hash = createHash('sha256').update(token).digest('base64');
      const known = good.get(hash);
      if (known && now() < known.until) return known.bearer;
      good.delete(hash);
      const bearer = await verifier.verify(token);
      good.set(hash, { bearer, until: now() + forMs });
      // A map's order is that of insertion: the first is the oldest.
      const [oldest] = good.keys();
      if (good.size > capacity && oldest !== undefined) good.delete(oldest);
      return bearer;
    },
  };
}
