/**
 * The key that signs sessions, made once by the first ingress and read by all. It lives in Redis
 * without harm: a session grants nothing that the caller's API key does not, and after a loss
 * clients initialize anew.
 */
import { randomBytes } from 'node:crypto';
import type { Redis } from 'ioredis';

const keyBytes = 32;

export async function readSessionKey(redis: Redis, name: string): Promise<Uint8Array> {
  await redis.set(name, randomBytes(keyBytes).toString('base64url'), 'NX');
  const stored = await redis.get(name);
  const key = Buffer.from(stored ?? '', 'base64url');
  if (key.length !== keyBytes) throw new Error(`Redis holds no session key at ${name}`);
  return key;
}
