/** Runs one of the scripts beside this file by its digest, and by its text when Redis does not know it yet. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { Redis } from 'ioredis';

const scripts = { append: load('append'), remove: load('remove') };

/** Resolves with the script's own result. Rejects with ioredis' errors. */
export async function runAuditScript(
  redis: Redis,
  script: keyof typeof scripts,
  keys: readonly string[],
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

function load(name: string): { readonly text: string; readonly digest: string } {
  const text = readFileSync(new URL(`./scripts/${name}.lua`, import.meta.url), 'utf8');
  return { text, digest: createHash('sha1').update(text).digest('hex') };
}
