import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { TenantId, UserId } from '../../../shared/ids.ts';
import { hashApiKey, isExpired, keyId, newApiKey } from '../../../shared/tenants/api-keys.ts';

test('a key is am_ and 32 random bytes in base64url', () => {
  const keys = Array.from({ length: 100 }, newApiKey);
  for (const key of keys) expect(key).toMatch(/^am_[A-Za-z0-9_-]{43}$/);
  expect(new Set(keys).size).toBe(100);
});

test('a key is known by its SHA-256, and named by its first 12 digits', () => {
  const key = newApiKey();
  const digest = createHash('sha256').update(key).digest('hex');
  expect(hashApiKey(key)).toBe(digest);
  expect(keyId(hashApiKey(key))).toBe(digest.slice(0, 12));
});

test('a key expires at its time and not before', () => {
  const key = { tenant: TenantId.parse('a'), user: UserId.parse('u'), createdAt: 0 };
  expect(isExpired(key, Number.MAX_SAFE_INTEGER)).toBe(false);
  expect(isExpired({ ...key, expiresAt: 1_000 }, 999)).toBe(false);
  expect(isExpired({ ...key, expiresAt: 1_000 }, 1_000)).toBe(true);
});
