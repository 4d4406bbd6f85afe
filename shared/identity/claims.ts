/** What a verified token says of its bearer, read where an issuer's claim map points. */
import { z } from 'zod';
import { TenantId, UserId } from '../ids.ts';
import { Role } from '../tenants/tenant.ts';
import type { Issuer } from './issuer.ts';

export interface Bearer {
  readonly issuer: string;
  readonly tenant: TenantId;
  readonly user: UserId;
  /** From the token, or else the issuer's default. Counts only for users without a record. */
  readonly role: Role | undefined;
  /** Epoch seconds. */
  readonly expiresAt: number;
}

type Claims = Readonly<Record<string, unknown>>;

/** Undefined unless the token names a tenant and a user in the form of our ids. */
export function readBearer(
  claims: Claims & { readonly exp: number },
  { issuer, claims: map, tenants, defaultRole }: Issuer,
): Bearer | undefined {
  const tenant = TenantId.safeParse(claimAt(claims, map.tenant)).data;
  const user = UserId.safeParse(claimAt(claims, map.user)).data;
  if (tenant === undefined || user === undefined) return undefined;
  if (tenants && !tenants.includes(tenant)) return undefined;
  const told = map.role === undefined ? undefined : roleOf(claimAt(claims, map.role));
  return { issuer, tenant, user, role: told ?? defaultRole, expiresAt: claims.exp };
}

/** OAuth's `scope`, space-separated; some issuers send a list, or call it `scp`. */
export function hasScope(claims: Claims, scope: string): boolean {
  const given = claims['scope'] ?? claims['scp'];
  if (typeof given === 'string') return given.split(' ').includes(scope);
  return Array.isArray(given) && given.includes(scope);
}

/** A claim that is named exactly so comes first: namespaced names are URLs, with dots in them. */
function claimAt(claims: Claims, path: string): unknown {
  if (Object.hasOwn(claims, path)) return claims[path];
  return path.split('.').reduce<unknown>((value, name) => {
    const within = z.record(z.string(), z.unknown()).safeParse(value).data;
    return within && Object.hasOwn(within, name) ? within[name] : undefined;
  }, claims);
}

/** One name or a list, in any case; of several the one that allows most. Other names count for nothing. */
function roleOf(claim: unknown): Role | undefined {
  const names = [claim].flat().map((name) => String(name).toLowerCase());
  return Role.options.find((role) => names.includes(role.toLowerCase()));
}
