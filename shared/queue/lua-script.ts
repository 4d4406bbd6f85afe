/** One Lua script: run by its digest, and loaded first where Redis does not know it yet. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { Redis } from 'ioredis';
import { mastersOf } from './redis.ts';

export interface LuaScript {
  /** Resolves with the script's own result. Rejects with ioredis' errors. */
  run(redis: Redis, keys: readonly string[], args: readonly (string | number)[]): Promise<unknown>;
}

export const readLuaScript = (file: URL): LuaScript => createLuaScript(readFileSync(file, 'utf8'));

export function createLuaScript(text: string): LuaScript {
  const digest = createHash('sha1').update(text).digest('hex');
  /** One load for all who find that the script is missing: it may be large, and they may be many. */
  const loading = new WeakMap<Redis, Promise<unknown>>();

  const load = (redis: Redis): Promise<unknown> => {
    const underWay = loading.get(redis);
    if (underWay) return underWay;
    // The nodes of a cluster each know their own.
    const loaded = Promise.all(
      mastersOf(redis).map((server) => server.script('LOAD', text)),
    ).finally(() => loading.delete(redis));
    loading.set(redis, loaded);
    return loaded;
  };

  return {
    async run(redis, keys, args) {
      const evaluate = (): Promise<unknown> => redis.evalsha(digest, keys.length, ...keys, ...args);
      try {
        return await evaluate();
      } catch (error) {
        if (!(error instanceof Error && error.message.startsWith('NOSCRIPT'))) throw error;
        await load(redis);
        return evaluate();
      }
    },
  };
}
