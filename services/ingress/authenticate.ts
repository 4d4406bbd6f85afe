/**
 * Bearer token -> `Principal`. The token itself goes no further than its hash.
 * With auth off every caller is one named user, read from the same directory; that is accepted
 * on a loopback address alone.
 */
import { isIPv4 } from 'node:net';
import { Fault } from '../../shared/faults.ts';
import type { TenantId, UserId } from '../../shared/ids.ts';
import { hashApiKey, type KeyHash } from '../../shared/tenants/api-keys.ts';
import type { Principal } from '../../shared/tenants/tenant.ts';

/** Who may act for whom. Both reject when the records cannot be read. */
export interface TenantDirectory {
  /** The owner of a key; undefined if it is unknown, revoked or expired. */
  findKey(hash: KeyHash): Promise<Principal | undefined>;
  find(tenant: TenantId, user: UserId): Promise<Principal | undefined>;
}

export type Auth =
  | { readonly mode: 'on' }
  | { readonly mode: 'off'; readonly tenant: TenantId; readonly user: UserId };

/** How long a client should wait when the directory does not answer. */
const directoryRetryMs = 1_000;

const apiKey = /^am_[A-Za-z0-9_-]{43}$/;

/** @throws {Error} unless auth is on or `host` is a loopback address. */
export function assertAuthAllowed(auth: Auth, host: string): void {
  if (auth.mode === 'on' || isLoopback(host)) return;
  throw new Error(
    `AUTH=off is accepted on a loopback address only, not on HOST=${host}. Set AUTH=on or HOST=127.0.0.1.`,
  );
}

/**
 * @throws {Fault} `unauthenticated`, `tenant_suspended`, or `overloaded` if the directory does not answer.
 */
export async function authenticate(
  authorization: string | undefined,
  ports: { readonly auth: Auth; readonly directory: TenantDirectory },
): Promise<Principal> {
  const principal = await lookUp(authorization, ports);
  if (principal.tenant.status === 'suspended') {
    throw new Fault('tenant_suspended', 'This tenant is suspended');
  }
  return principal;
}

async function lookUp(
  authorization: string | undefined,
  { auth, directory }: { readonly auth: Auth; readonly directory: TenantDirectory },
): Promise<Principal> {
  if (auth.mode === 'off') {
    const principal = await answered(directory.find(auth.tenant, auth.user));
    if (principal) return principal;
    throw new Fault('unauthenticated', `Tenant ${auth.tenant} has no user ${auth.user}`);
  }
  if (authorization === undefined) {
    throw new Fault('unauthenticated', 'Send an API key as "Authorization: Bearer <key>"');
  }
  const token = /^Bearer +(\S+) *$/i.exec(authorization)?.[1] ?? '';
  // Hashed before its form is looked at, and looked up by hash: timing tells nothing of any key.
  const hash = hashApiKey(token);
  const principal = apiKey.test(token) ? await answered(directory.findKey(hash)) : undefined;
  if (principal) return principal;
  throw new Fault('unauthenticated', 'The API key is unknown, revoked or expired');
}

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
