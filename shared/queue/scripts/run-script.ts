/** Runs a composed script by its digest, and by its text when Redis does not know it yet. */
import { createHash } from 'node:crypto';
import type { Redis } from 'ioredis';
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

/** Resolves with the script's own result. Rejects with ioredis' errors. */
export const runScript: RunScript = async (redis, script, index, args) => {
  try {
    return await redis.evalsha(digests.get(script) ?? '', 1, index, ...args);
  } catch (error) {
    if (!(error instanceof Error && error.message.startsWith('NOSCRIPT'))) throw error;
    return redis.eval(texts[script], 1, index, ...args);
  }
};
