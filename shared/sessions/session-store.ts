/**
 * The sessions of 2025-era clients as Redis knows them: who opened each, and when it was last
 * used. The signed id in front of it is `services/ingress/session.ts`. Losing all of this costs a
 * client one `initialize`; it never grants anything.
 */
import type { Redis } from 'ioredis';
import { z } from 'zod';
import { UserId } from '../ids.ts';
import { readLuaScript } from '../queue/lua-script.ts';
import {
  sessionFacts,
  sessionsByUse,
  sessionsChannel,
  sessionState,
  sessionWatches,
} from '../queue/names.ts';
import type { Tenant } from '../tenants/tenant.ts';

/** Times are epoch milliseconds by Redis' clock. */
export interface SessionRecord {
  readonly id: string;
  readonly user: UserId;
  /** The client's own name for itself; may be empty. */
  readonly client: string;
  readonly createdAt: number;
  /** Exact to a minute. */
  readonly lastSeenAt: number;
}

export interface NewSession {
  readonly id: string;
  readonly user: UserId;
  readonly client: string;
}

type Home = Pick<Tenant, 'id' | 'shard'>;

/** Every function rejects with ioredis' errors if Redis does not answer. */
export interface SessionStore {
  /** Resolves with the ids that made room, since the tenant may not have more. */
  open(tenant: Tenant, session: NewSession): Promise<readonly string[]>;
  /** Whether it still stands. Counts as a use. */
  touch(tenant: Home, id: string): Promise<boolean>;
  /** Longest idle first. */
  list(tenant: Home): Promise<readonly SessionRecord[]>;
  /** Resolves with the number of those that were there. */
  end(tenant: Home, ids: readonly string[]): Promise<number>;
}

export interface SessionStoreOptions {
  /** Milliseconds without use after which a session is over. */
  readonly idleMs: number;
  /** Milliseconds within which a use is not noted again. Default one minute, or a third of `idleMs`. */
  readonly noteMs?: number;
}

const Facts = z.object({ user: UserId, client: z.string(), createdAt: z.number() });
const defaultNoteMs = 60_000;

const openScript = readLuaScript(new URL('scripts/open.lua', import.meta.url));
const touchScript = readLuaScript(new URL('scripts/touch.lua', import.meta.url));

export function createSessionStore(redis: Redis, options: SessionStoreOptions): SessionStore {
  const { idleMs } = options;
  const noteMs = options.noteMs ?? Math.min(defaultNoteMs, Math.floor(idleMs / 3));
  /** To whoever holds a stream of theirs. */
  const announce = (ids: readonly string[]): void => {
    for (const id of ids) redis.publish(sessionsChannel, id).catch(() => undefined);
  };
  return {
    async open(tenant, { id, user, client }) {
      const args = [id, user, client, idleMs, tenant.limits.sessions];
      const ended = z.array(z.string()).parse(await openScript.run(redis, keysOf(tenant), args));
      announce(ended);
      return ended;
    },

    async touch(tenant, id) {
      const args = [id, idleMs, noteMs];
      const { shard } = tenant;
      const state = [sessionState(shard, tenant.id, id), sessionWatches(shard, tenant.id)];
      return (await touchScript.run(redis, [...keysOf(tenant), ...state], args)) === 1;
    },

    async list(tenant) {
      const [byUse, facts] = keysOf(tenant);
      const [seconds] = await redis.time();
      const since = Number(seconds) * 1_000 - idleMs;
      const seen = await redis.zrangebyscore(byUse, `(${since}`, '+inf', 'WITHSCORES');
      const known = await redis.hgetall(facts);
      return pairs(seen).flatMap(([id, lastSeenAt]) => {
        const text = known[id];
        // Ended between the two reads.
        if (text === undefined) return [];
        return { id, lastSeenAt: Number(lastSeenAt), ...Facts.parse(JSON.parse(text)) };
      });
    },

    async end(tenant, ids) {
      if (ids.length === 0) return 0;
      const [byUse, facts] = keysOf(tenant);
      const results = await redis
        .multi()
        .zrem(byUse, ...ids)
        .hdel(facts, ...ids)
        .hdel(sessionWatches(tenant.shard, tenant.id), ...ids)
        .del(...ids.map((id) => sessionState(tenant.shard, tenant.id, id)))
        .exec();
      const [error, ended] = results?.[0] ?? [new Error('Redis gave no answer')];
      if (error) throw error;
      announce(ids);
      return Number(ended);
    },
  };
}

const keysOf = ({ id, shard }: Home): readonly [string, string] => [
  sessionsByUse(shard, id),
  sessionFacts(shard, id),
];

function pairs(flat: readonly string[]): [string, string][] {
  return flat.flatMap((value, at) => (at % 2 === 0 ? [[value, flat[at + 1] ?? '']] : []));
}
