/** Runs a transition of the queue. */
import type { Redis } from 'ioredis';
import { createLuaScript, type LuaScript } from '../lua-script.ts';
import { composeScripts, type ScriptName } from './compose.ts';

const scripts: ReadonlyMap<ScriptName, LuaScript> = new Map(
  [...composeScripts()].map(([name, text]) => [name, createLuaScript(text)]),
);

/** `index` is the shard's prefix. Resolves with the script's own result. Rejects with ioredis' errors. */
export async function runScript(
  redis: Redis,
  name: ScriptName,
  index: string,
  args: readonly (string | number)[],
): Promise<unknown> {
  const script = scripts.get(name);
  if (!script) throw new Error(`No script ${name}`);
  return script.run(redis, [index], args);
}
