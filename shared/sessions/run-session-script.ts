/** Runs one of the scripts beside this file by its digest, and by its text when Redis does not know it yet. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { Redis } from 'ioredis';

type SessionScript = 'open' | 'touch';

const open = load('open');
const touch = load('touch');
const scripts = { open, touch };

/** Resolves with the script's own result. Rejects with ioredis' errors. */
export async function runSessionScript(
  redis: Redis,
  script: SessionScript,
  keys: readonly [byUse: string, facts: string],
  args: readonly (string | number)[],
): Promise<unknown> {
  const { text, digest } = scripts[script];
  try {
    return await redis.evalsha(digest, keys.length, ...keys, ...args);
  } catch (error) {
    if (!(error instanceof Error && error.message.startsWith('NOSCRIPT'))) throw error;
    return redis.eval(text, keys.length, ...keys, ...args);
  }
}

function load(name: SessionScript): { readonly text: string; readonly digest: string } {
  const text = readFileSync(new URL(`./scripts/${name}.lua`, import.meta.url), 'utf8');
  return { text, digest: createHash('sha1').update(text).digest('hex') };
}
