/**
 * API keys: how one is made, and what is kept of it. The key itself is shown once and stored
 * nowhere; its SHA-256 is enough to find its record, and 256 random bits need no slower hash.
 */
import { hash, randomBytes } from 'node:crypto';
import { z } from 'zod';
import { TenantId, UserId } from '../ids.ts';

/** What a key stands for. Times are epoch milliseconds. */
export const KeyRecord = z.object({
  tenant: TenantId,
  user: UserId,
  createdAt: z.number().int(),
  /** Absent: the key holds until it is revoked. */
  expiresAt: z.number().int().optional(),
});
export type KeyRecord = z.output<typeof KeyRecord>;

/** SHA-256 of a key, in lower-case hex. */
export const KeyHash = z
  .string()
  .regex(/^[0-9a-f]{64}$/)
  .brand<'KeyHash'>();
export type KeyHash = z.output<typeof KeyHash>;

const keyBytes = 32;
const keyIdLength = 12;

/** `am_` and 32 random bytes in base64url. */
export function newApiKey(): string {
  return `am_${randomBytes(keyBytes).toString('base64url')}`;
}

export function hashApiKey(key: string): KeyHash {
  return KeyHash.parse(hash('sha256', key, 'hex'));
}

/** How people name a key that they cannot see any more: the first digits of its hash. */
export function keyId(hash: KeyHash): string {
  return hash.slice(0, keyIdLength);
}

export function isExpired(key: KeyRecord, now: number): boolean {
  return key.expiresAt !== undefined && key.expiresAt <= now;
}
