/**
 * Tokens of outside issuers: signature, issuer, audience and times, then what the claims say.
 * A token is refused for the first thing that is wrong, and the reason is ours, never the token's
 * text. Whether tenant and user may act is decided by the caller.
 */
import { decodeJwt, errors, jwtVerify, type JWTPayload, type JWTVerifyGetKey } from 'jose';
import { Fault } from '../faults.ts';
import { hasScope, readBearer, type Bearer } from './claims.ts';
import type { Issuer } from './issuer.ts';
import { createKeySet, KeysUnavailable, type KeySetPorts } from './key-set.ts';

export interface TokenVerifier {
  /**
   * @throws {Fault} `unauthenticated`, `insufficient_scope` (a `MissingScope`), or `overloaded` as
   * long as the issuer's keys could never be read.
   */
  verify(token: string): Promise<Bearer>;
}

/** The token is good, but its issuer gave it too little. */
export class MissingScope extends Fault {
  readonly scope: string;

  constructor(scope: string) {
    super('insufficient_scope', `The token lacks the scope ${scope}`);
    this.scope = scope;
  }
}

const leewaySeconds = 30;
const keysRetryMs = 5_000;
/** Below what Node accepts as a head; more is not worth decoding. */
const maxTokenLength = 8_192;

export interface TokenVerifierOptions {
  readonly issuers: readonly Issuer[];
  /** This resource's own URL: the audience of tokens whose issuer entry names no other. */
  readonly resource: string;
}

export function createTokenVerifier(
  { issuers, resource }: TokenVerifierOptions,
  ports: KeySetPorts,
): TokenVerifier {
  const known = new Map(
    issuers.map((issuer) => [issuer.issuer, { issuer, keys: createKeySet(issuer, ports) }]),
  );
  return {
    async verify(token) {
      const { issuer, keys } = known.get(issuerOf(token) ?? '') ?? {};
      if (!issuer || !keys) throw refused('comes from an issuer that is not trusted here');
      const audience = issuer.audience ?? resource;
      const claims = await check(token, { issuer, keys, audience });
      if (issuer.requiredScope !== undefined && !hasScope(claims, issuer.requiredScope)) {
        throw new MissingScope(issuer.requiredScope);
      }
      const bearer = readBearer(claims, issuer);
      if (!bearer) throw refused('names no tenant and user of this cluster');
      return bearer;
    },
  };
}

/** Whether a token that was verified once would no longer be. `now` is epoch milliseconds. */
export function hasExpired({ expiresAt }: Bearer, now: number): boolean {
  return expiresAt + leewaySeconds <= now / 1_000;
}

/** What the token says, not yet believed: enough to choose whose keys to try. */
function issuerOf(token: string): string | undefined {
  if (token.length > maxTokenLength) throw refused('is too long');
  try {
    return decodeJwt(token).iss;
  } catch {
    return undefined;
  }
}

interface Against {
  readonly issuer: Issuer;
  readonly keys: JWTVerifyGetKey;
  readonly audience: string;
}

async function check(
  token: string,
  { issuer, keys, audience }: Against,
): Promise<JWTPayload & { exp: number }> {
  try {
    const { payload } = await jwtVerify(token, keys, {
      issuer: issuer.issuer,
      audience,
      algorithms: issuer.algorithms,
      clockTolerance: leewaySeconds,
      requiredClaims: ['exp'],
    });
    const { exp, iat = 0 } = payload;
    if (exp === undefined || iat > Date.now() / 1_000 + leewaySeconds) {
      throw refused('was issued in the future');
    }
    return { ...payload, exp };
  } catch (cause) {
    if (cause instanceof Fault) throw cause;
    if (cause instanceof KeysUnavailable) {
      const message = 'The keys of the token’s issuer cannot be read';
      throw new Fault('overloaded', message, { retryAfterMs: keysRetryMs });
    }
    throw refused(reasonOf(cause));
  }
}

/** In our words: jose's own may quote what the token says. */
function reasonOf(cause: unknown): string {
  if (cause instanceof errors.JWTExpired) return 'has expired';
  if (cause instanceof errors.JWTClaimValidationFailed) {
    return claimReasons[cause.claim] ?? 'has a bad claim';
  }
  if (cause instanceof errors.JOSEAlgNotAllowed) return 'is signed in a way that is not accepted';
  if (cause instanceof errors.JWKSNoMatchingKey) return 'is signed with an unknown key';
  if (cause instanceof errors.JWKSMultipleMatchingKeys) return 'does not say which key signed it';
  return 'is not valid';
}

const claimReasons: Readonly<Record<string, string>> = {
  aud: 'is meant for another audience',
  exp: 'has no expiry',
  nbf: 'is not valid yet',
};

function refused(reason: string): Fault {
  return new Fault('unauthenticated', `The token ${reason}`);
}
