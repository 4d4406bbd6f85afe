/**
 * Branded identifiers. A plain string never passes for one of them: it goes through a schema
 * at the boundary where it enters, or through a constructor here.
 */
import { hash, randomFillSync } from 'node:crypto';
import { z } from 'zod';

/** Lower-case letters, digits and hyphens; at most 63 characters, as DNS labels and S3 prefixes allow. */
export const TenantId = z
  .string()
  .regex(
    /^[a-z0-9][a-z0-9-]{0,62}$/,
    'must be 1 to 63 of a-z, 0-9 and "-", starting with a letter or digit',
  )
  .brand<'TenantId'>();
export type TenantId = z.output<typeof TenantId>;

/** Any printable name without separators that keys and paths use. */
export const UserId = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9._@+-]{0,127}$/, 'must be 1 to 128 of A-Z, a-z, 0-9 and . _ @ + -')
  .brand<'UserId'>();
export type UserId = z.output<typeof UserId>;

/** `i-…` for one call, `c-…` for every retry of one keyed call. Never an integer, never holds a colon. */
export const InvocationId = z
  .string()
  .regex(/^[ic]-[A-Za-z0-9_-]{22,43}$/)
  .brand<'InvocationId'>();
export type InvocationId = z.output<typeof InvocationId>;

/** An unguessable id for one call: 16 random bytes. */
export function newInvocationId(): InvocationId {
  return InvocationId.parse(`i-${take16().toString('base64url')}`);
}

/** Asking the system once for the bytes of so many ids costs little more than for those of one. */
const random = Buffer.alloc(16 * 256);
let taken = random.length;

function take16(): Buffer {
  if (taken === random.length) {
    randomFillSync(random);
    taken = 0;
  }
  return random.subarray(taken, (taken += 16));
}

/** The same id for the same idempotency key of the same user, wherever it is computed. */
export function keyedInvocationId(...parts: readonly string[]): InvocationId {
  const digest = hash('sha256', JSON.stringify(parts), 'base64url');
  return InvocationId.parse(`c-${digest}`);
}
