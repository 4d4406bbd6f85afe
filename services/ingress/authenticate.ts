/**
 * Bearer token -> `Principal`: an API key, or a token of an outside issuer. Neither goes further
 * than this file; what is kept of it is a hash, or the claims that were verified.
 * With auth off every caller is one named user, read from the same directory; that is accepted
 * on a loopback address alone.
 */
import { isIPv4 } from 'node:net';
import { Fault } from '../../shared/faults.ts';
import type { TenantId, UserId } from '../../shared/ids.ts';
import type { Bearer } from '../../shared/identity/claims.ts';
import { hasExpired } from '../../shared/identity/token-verifier.ts';
import { hashApiKey, keyId, type KeyHash } from '../../shared/tenants/api-keys.ts';
import { User, type Principal, type Tenant } from '../../shared/tenants/tenant.ts';

/** Who may act for whom. Both reject when the records cannot be read. */
export interface TenantDirectory {
  /** The owner of a key; undefined if it is unknown, revoked or expired. */
  findKey(hash: KeyHash): Promise<Principal | undefined>;
  find(tenant: TenantId, user: UserId): Promise<Principal | undefined>;
}

/** Tokens of outside issuers, and the tenants that they name. */
export interface Tokens {
  /** @throws {Fault} if the token is not good, or its issuer's keys cannot be read. */
  verify(token: string): Promise<Bearer>;
  findTenant(id: TenantId): Promise<Tenant | undefined>;
}

export interface AuthenticatePorts {
  readonly auth: Auth;
  readonly directory: TenantDirectory;
  /** Absent: API keys alone are accepted. */
  readonly tokens?: Tokens | undefined;
  /** Hears of callers whose tenant is suspended. */
  readonly onSuspended?: ((principal: Principal) => void) | undefined;
}

/** Who sent a request. */
export interface Caller {
  readonly principal: Principal;
  /**
   * Whom the same token stands for by now, for what outlives its request.
   * @throws {Fault} as `authenticate` does.
   */
  again(): Promise<Principal>;
}

export type Auth =
  | { readonly mode: 'on' }
  | { readonly mode: 'off'; readonly tenant: TenantId; readonly user: UserId };

/** How long a client should wait when the directory does not answer. */
const directoryRetryMs = 1_000;

const apiKey = /^am_[A-Za-z0-9_-]{43}$/;
/** Three parts, as JWTs have; an API key has no dots. */
const signedToken = /^[^.]+\.[^.]+\.[^.]*$/;

/** @throws {Error} unless auth is on or `host` is a loopback address. */
export function assertAuthAllowed(auth: Auth, host: string): void {
  if (auth.mode === 'on' || isLoopback(host)) return;
  throw new Error(
    `AUTH=off is accepted on a loopback address only, not on HOST=${host}. Set AUTH=on or HOST=127.0.0.1.`,
  );
}

/**
 * @throws {Fault} `unauthenticated`, `insufficient_scope`, `tenant_suspended`, or `overloaded` if
 * the directory or the keys of an issuer cannot be read.
 */
export async function authenticate(
  authorization: string | undefined,
  ports: AuthenticatePorts,
): Promise<Caller> {
  const { name, lookUp } = await credentialOf(authorization, ports);
  const again = async (): Promise<Principal> => {
    const found = await answered(lookUp());
    const principal = name === undefined ? found : { ...found, credential: name };
    if (principal.tenant.status === 'active') return principal;
    ports.onSuspended?.(principal);
    throw new Fault('tenant_suspended', 'This tenant is suspended');
  };
  return { principal: await again(), again };
}

interface Credential {
  /** For the audit. */
  readonly name?: string;
  readonly lookUp: () => Promise<Principal>;
}

/** What was sent, checked as far as it will not change, and reduced to the way to look it up. */
async function credentialOf(
  authorization: string | undefined,
  ports: AuthenticatePorts,
): Promise<Credential> {
  const { auth, directory, tokens } = ports;
  if (auth.mode === 'off') return { lookUp: () => findDefault(auth, directory) };
  if (authorization === undefined) {
    throw new Fault('unauthenticated', 'Send an API key or a token as "Authorization: Bearer …"');
  }
  const token = /^Bearer +(\S+) *$/i.exec(authorization)?.[1] ?? '';
  if (tokens && signedToken.test(token)) {
    const bearer = await tokens.verify(token);
    return {
      name: `token ${bearer.issuer}`,
      lookUp: () => findBearer(bearer, directory, tokens),
    };
  }
  // Hashed before its form is looked at, and looked up by hash: timing tells nothing of any key.
  const hash = hashApiKey(token);
  const isKey = apiKey.test(token);
  return {
    name: `key ${keyId(hash)}`,
    async lookUp() {
      const principal = isKey ? await directory.findKey(hash) : undefined;
      if (principal) return principal;
      throw new Fault('unauthenticated', 'The API key is unknown, revoked or expired');
    },
  };
}

async function findDefault(
  { tenant, user }: Extract<Auth, { mode: 'off' }>,
  directory: TenantDirectory,
): Promise<Principal> {
  const principal = await directory.find(tenant, user);
  if (principal) return principal;
  throw new Fault('unauthenticated', `Tenant ${tenant} has no user ${user}`);
}

/** A recorded user is what the record says; anybody else what the token says. */
async function findBearer(
  bearer: Bearer,
  directory: TenantDirectory,
  tokens: Tokens,
): Promise<Principal> {
  if (hasExpired(bearer, Date.now())) throw new Fault('unauthenticated', 'The token has expired');
  const recorded = await directory.find(bearer.tenant, bearer.user);
  if (recorded) return recorded;
  const tenant = await tokens.findTenant(bearer.tenant);
  if (!tenant) {
    throw new Fault('unauthenticated', 'The token names no tenant and user of this cluster');
  }
  if (bearer.role === undefined) {
    throw new Fault('insufficient_scope', 'The token gives its bearer no role in this tenant');
  }
  return { tenant, user: User.parse({ id: bearer.user, role: bearer.role }) };
}

/** A failing directory is no verdict on the token. */
async function answered<T>(lookUp: Promise<T>): Promise<T> {
  try {
    return await lookUp;
  } catch (cause) {
    if (cause instanceof Fault) throw cause;
    throw new Fault('overloaded', 'The tenant directory does not answer', {
      retryAfterMs: directoryRetryMs,
      cause,
    });
  }
}

function isLoopback(host: string): boolean {
  if (host === 'localhost' || host === '::1' || host === '[::1]') return true;
  return isIPv4(host) && host.startsWith('127.');
}
