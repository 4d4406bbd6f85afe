/** Runs a composed script by its digest, loading it where Redis does not know it yet. */
import { createHash } from 'node:crypto';
import type { Redis } from 'ioredis';
import { mastersOf } from '../redis.ts';
import { composeScripts, type ScriptName } from './compose.ts';

export type RunScript = (
  redis: Redis,
  script: ScriptName,
  index: string,
  args: readonly (string | number)[],
) => Promise<unknown>;

const texts = composeScripts();
const digests = new Map(
  Object.entries(texts).map(([name, text]) => [
    name,
    createHash('sha1').update(text).digest('hex'),
  ]),
);

/** One load for all who find that a script is missing: its text is large, and they may be many. */
const loading = new WeakMap<Redis, Map<ScriptName, Promise<unknown>>>();

/** Resolves with the script's own result. Rejects with ioredis' errors. */
export const runScript: RunScript = async (redis, script, index, args) => {
  const run = (): Promise<unknown> => redis.evalsha(digests.get(script) ?? '', 1, index, ...args);
  try {
    return await run();
  } catch (error) {
    if (!(error instanceof Error && error.message.startsWith('NOSCRIPT'))) throw error;
    await load(redis, script);
    return run();
  }
};

function load(redis: Redis, script: ScriptName): Promise<unknown> {
  const loads = loading.get(redis) ?? new Map<ScriptName, Promise<unknown>>();
  loading.set(redis, loads);
  const underWay = loads.get(script);
  if (underWay) return underWay;
  // The nodes of a cluster each know their own.
  const loaded = Promise.all(
    mastersOf(redis).map((server) => server.script('LOAD', texts[script])),
  ).finally(() => loads.delete(script));
  loads.set(script, loaded);
  return loaded;
}
