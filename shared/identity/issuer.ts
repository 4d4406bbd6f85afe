/**
 * Who may sign tokens for this cluster, and how a token's claims name a tenant, a user and a role.
 * Pure data: keys are fetched in `key-set.ts`, tokens checked in `token-verifier.ts`.
 */
import { z } from 'zod';
import { TenantId } from '../ids.ts';
import { Role } from '../tenants/tenant.ts';

/** Asymmetric ones only: with a shared secret, whoever can check a token could also make one. */
const Algorithm = z.enum([
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
]);

/** `sub`, or a path into objects such as `realm_access.roles`. */
const ClaimPath = z.string().min(1).max(256);

const SecureUrl = z
  .url()
  .max(2_048)
  .refine(isSecureUrl, 'must be https://, or http:// on a loopback address');

/** RFC 6749's alphabet, so that it needs no quoting in a header. */
const Scope = z.string().regex(/^[\x21\x23-\x5b\x5d-\x7e]{1,128}$/, 'must be one scope');

export const Issuer = z.strictObject({
  /** Compared with `iss` letter by letter. */
  issuer: SecureUrl,
  /** Absent: the resource's own URL. */
  audience: z.string().min(1).max(2_048).optional(),
  /** Absent: found through the issuer's own metadata. */
  jwksUri: SecureUrl.optional(),
  claims: z.strictObject({
    tenant: ClaimPath,
    user: ClaimPath,
    role: ClaimPath.optional(),
  }),
  algorithms: z
    .array(Algorithm)
    .min(1)
    .default([...Algorithm.options]),
  /** The tenants that this issuer may speak for. Absent: all. */
  tenants: z.array(TenantId).min(1).optional(),
  /** For users of whom neither the tenant's records nor the token tell a role. */
  defaultRole: Role.optional(),
  /** A scope that every token must carry. */
  requiredScope: Scope.optional(),
});
export type Issuer = z.output<typeof Issuer>;

const List = z
  .array(Issuer)
  .max(100)
  .refine(
    (issuers) => new Set(issuers.map(({ issuer }) => issuer)).size === issuers.length,
    'names an issuer twice',
  );

/** JSON text of a list, taken whole or refused whole, with every problem at its place. */
export const Issuers = z
  .string()
  .default('[]')
  .transform((text, context) => {
    const parsed = List.safeParse(toJson(text));
    if (parsed.success) return parsed.data;
    for (const { path, message } of parsed.error.issues) {
      const place = path.length === 0 ? '' : `${path.join('.')}: `;
      context.addIssue({ code: 'custom', message: place + message });
    }
    return z.NEVER;
  });

/** https, or http to this machine alone. */
export function isSecureUrl(text: string): boolean {
  const url = URL.parse(text);
  return url?.protocol === 'https:' || (url?.protocol === 'http:' && isLoopbackUrl(text));
}

export function isLoopbackUrl(text: string): boolean {
  const host = URL.parse(text)?.hostname ?? '';
  return host === 'localhost' || host === '[::1]' || /^127\.\d+\.\d+\.\d+$/.test(host);
}

/** Text that is no JSON is no list either, and is told so. */
function toJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
