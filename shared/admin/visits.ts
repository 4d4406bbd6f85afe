/**
 * Who is signed in to the console. A visit begins with an admin's token and is known from then on
 * by a random id in a cookie, of which Redis holds the SHA-256: it ends after half an hour without
 * use, twelve hours after it began, and at once if the account is taken away.
 */
import { createHash, randomBytes } from 'node:crypto';
import type { Redis } from 'ioredis';
import { z } from 'zod';
import { UserId } from '../ids.ts';
import { adminFailures, adminVisit, adminVisits } from '../queue/names.ts';
import { AdminRole, type AdminAccount } from './accounts.ts';

const Visit = z.object({
  name: UserId,
  role: AdminRole,
  /** Sent along with every change, so that no other page can make one. */
  csrf: z.string(),
  /** Epoch ms. */
  begunAt: z.number(),
});
export type Visit = z.output<typeof Visit>;

/** Rejects with ioredis' errors if Redis does not answer. */
export interface Visits {
  /** Resolves with the id for the cookie. */
  begin(account: AdminAccount): Promise<{ readonly id: string; readonly visit: Visit }>;
  /** Counts as a use. */
  find(id: string): Promise<Visit | undefined>;
  end(id: string): Promise<void>;
  /** Ends every visit of an account that was taken away. */
  endAll(name: UserId): Promise<void>;
  /** False if from this address too many tokens were wrong within a minute. */
  mayTry(address: string): Promise<boolean>;
  countFailure(address: string): Promise<void>;
}

const idBytes = 32;
const idleSeconds = 1_800;
const longestMs = 43_200_000;
const mostFailures = 10;
const failureSeconds = 60;

export function createVisits(redis: Redis): Visits {
  return {
    async begin({ name, role }) {
      const id = randomBytes(idBytes).toString('base64url');
      const csrf = randomBytes(idBytes).toString('base64url');
      const visit: Visit = { name, role, csrf, begunAt: Date.now() };
      // Listed first: what is not listed could not be ended with the account.
      await redis.sadd(adminVisits(name), hash(id));
      await redis.expire(adminVisits(name), longestMs / 1_000);
      await redis.set(adminVisit(hash(id)), JSON.stringify(visit), 'EX', idleSeconds);
      return { id, visit };
    },

    async find(id) {
      const text = await redis.getex(adminVisit(hash(id)), 'EX', idleSeconds);
      if (text === null) return undefined;
      const visit = Visit.parse(JSON.parse(text));
      return Date.now() < visit.begunAt + longestMs ? visit : undefined;
    },

    async end(id) {
      await redis.del(adminVisit(hash(id)));
    },

    async endAll(name) {
      const hashes = await redis.smembers(adminVisits(name));
      for (const each of hashes) await redis.del(adminVisit(each));
      await redis.del(adminVisits(name));
    },

    async mayTry(address) {
      return Number((await redis.get(adminFailures(address))) ?? 0) < mostFailures;
    },

    async countFailure(address) {
      const key = adminFailures(address);
      await redis.multi().incr(key).expire(key, failureSeconds, 'NX').exec();
    },
  };
}

function hash(id: string): string {
  return createHash('sha256').update(id).digest('hex');
}
