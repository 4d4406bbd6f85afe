/**
 * What the session of a 2025-era client wants to be told, in Redis: the request that says so may
 * reach another ingress than the one that holds the session's stream. Word that it has changed is
 * best effort; whoever holds a stream looks again by itself.
 */
import type { Redis } from 'ioredis';
import { readLuaScript } from '../queue/lua-script.ts';
import { sessionsByUse, sessionsChannel, sessionState, sessionWatches } from '../queue/names.ts';
import type { Tenant } from '../tenants/tenant.ts';

export interface SessionState {
  /** Resources whose changes it wants to hear of. */
  readonly uris: ReadonlySet<string>;
  /** The least severe of what tools log that it wants to hear, as MCP names it. */
  readonly level: string | undefined;
  /** Names the stream that it opened last: the one that is told. */
  readonly stream: string | undefined;
}

type Home = Pick<Tenant, 'id' | 'shard'>;

/** Every function rejects with ioredis' errors if Redis does not answer. */
export interface SessionStates {
  read(tenant: Home, id: string): Promise<SessionState>;
  /** False if the tenant's sessions watch as many as they may. */
  watch(tenant: Home, id: string, uri: string): Promise<boolean>;
  unwatch(tenant: Home, id: string, uri: string): Promise<void>;
  setLevel(tenant: Home, id: string, level: string): Promise<void>;
  /** From now on this stream is the one that is told. */
  hold(tenant: Home, id: string, stream: string): Promise<void>;
}

export interface SessionStatesOptions {
  /** Milliseconds without use after which a session is over. */
  readonly idleMs: number;
  /** The most resources that all sessions of one tenant watch. Default 1,000. */
  readonly watchesPerTenant?: number;
}

const watchScript = readLuaScript(new URL('scripts/watch.lua', import.meta.url));
const unwatchScript = readLuaScript(new URL('scripts/unwatch.lua', import.meta.url));

const watchPrefix = 'uri ';

export function createSessionStates(redis: Redis, options: SessionStatesOptions): SessionStates {
  const { idleMs, watchesPerTenant = 1_000 } = options;

  async function set(home: Home, id: string, field: string, value: string): Promise<void> {
    const key = sessionState(home.shard, home.id, id);
    const results = await redis.multi().hset(key, field, value).pexpire(key, idleMs).exec();
    const [error] = results?.find(([failed]) => failed) ?? [];
    if (error) throw error;
  }

  return {
    async read({ id: tenant, shard }, id) {
      const fields = await redis.hgetall(sessionState(shard, tenant, id));
      const uris = Object.keys(fields)
        .filter((name) => name.startsWith(watchPrefix))
        .map((name) => name.slice(watchPrefix.length));
      return { uris: new Set(uris), level: fields['level'], stream: fields['stream'] };
    },

    async watch(home, id, uri) {
      const keys = [...keysOf(home, id), sessionsByUse(home.shard, home.id)];
      const args = [id, watchPrefix + uri, watchesPerTenant, idleMs];
      const watched = (await watchScript.run(redis, keys, args)) === 1;
      if (watched) await redis.publish(sessionsChannel, id);
      return watched;
    },

    async unwatch(home, id, uri) {
      await unwatchScript.run(redis, keysOf(home, id), [id, watchPrefix + uri]);
      await redis.publish(sessionsChannel, id);
    },

    setLevel: (home, id, level) => set(home, id, 'level', level),

    async hold(home, id, stream) {
      await set(home, id, 'stream', stream);
      await redis.publish(sessionsChannel, id);
    },
  };
}

const keysOf = ({ id: tenant, shard }: Home, id: string): readonly [string, string] => [
  sessionState(shard, tenant, id),
  sessionWatches(shard, tenant),
];

/** Resolves once this process hears which sessions have changed or ended. */
export async function subscribeSessions(
  subscriptions: Redis,
  onSession: (id: string) => void,
): Promise<void> {
  subscriptions.on('message', (channel: string, id: string) => {
    if (channel === sessionsChannel) onSession(id);
  });
  await subscriptions.subscribe(sessionsChannel);
  subscriptions.on('ready', () => {
    // A connection that fails here comes back, and this runs again.
    subscriptions.subscribe(sessionsChannel).catch(() => undefined);
  });
}
