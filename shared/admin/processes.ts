/**
 * Which processes live, as each says of itself once a second. One that is killed says nothing any
 * more, and is gone from the list five seconds later.
 */
import { hostname } from 'node:os';
import type { Redis } from 'ioredis';
import { z } from 'zod';
import { createLuaScript } from '../queue/lua-script.ts';
import { processes } from '../queue/names.ts';

const Facts = z.object({
  kind: z.enum(['worker', 'ingress']),
  host: z.string(),
  version: z.string(),
  /** Ms since it started. */
  upMs: z.number(),
  draining: z.boolean(),
  slots: z.number().default(0),
  running: z.number().default(0),
  /** Since it started: calls answered, calls refused, and answers by latency (`pace.ts`). */
  calls: z.number().default(0),
  refusals: z.number().default(0),
  latencies: z.array(z.number()).readonly().default([]),
});
type Facts = z.output<typeof Facts>;

export interface LiveProcess extends Facts {
  readonly name: string;
  /** Ms since it was last heard of. */
  readonly silentMs: number;
}

/** What a process tells of itself; the rest is known here. */
export type OwnFacts = Pick<Facts, 'draining'> &
  Partial<Pick<Facts, 'slots' | 'running' | 'calls' | 'refusals' | 'latencies'>>;

const everyMs = 1_000;
const validMs = 5_000;

// KEYS 1 the hash  ARGV 1 name  2 ms for which it holds (0: it leaves)  3 facts
const sayScript = createLuaScript(`
if ARGV[2] == '0' then return redis.call('HDEL', KEYS[1], ARGV[1]) end
local time = redis.call('TIME')
local untilMs = string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000) + ARGV[2])
return redis.call('HSET', KEYS[1], ARGV[1], untilMs .. ' ' .. ARGV[3])`);

/** Returns a function that stops it, and says that the process leaves. Never rejects: it tries again. */
export function announceProcess(
  redis: Redis,
  who: Pick<Facts, 'kind' | 'version'> & { readonly name: string },
  read: () => OwnFacts,
): () => Promise<void> {
  const { name, kind, version } = who;
  const say = async (): Promise<void> => {
    if (redis.status !== 'ready') return;
    const upMs = Math.round(process.uptime() * 1_000);
    const facts = { kind, version, host: hostname(), upMs, ...read() };
    await sayScript.run(redis, [processes], [name, validMs, JSON.stringify(facts)]);
  };
  const timer = setInterval(() => void say().catch(() => undefined), everyMs);
  void say().catch(() => undefined);
  return async () => {
    clearInterval(timer);
    await sayScript.run(redis, [processes], [name, 0, '']).catch(() => undefined);
  };
}

/** Those that live, by name. What dead ones have left behind is taken away. */
export async function readProcesses(redis: Redis): Promise<readonly LiveProcess[]> {
  const [seconds, micros] = await redis.time();
  const now = Number(seconds) * 1_000 + Math.floor(Number(micros) / 1_000);
  const said = Object.entries(await redis.hgetall(processes));
  const dead = said.filter(([, text]) => validUntil(text) < now).map(([name]) => name);
  if (dead.length > 0) await redis.hdel(processes, ...dead);
  return said
    .flatMap(([name, text]) => {
      const facts = Facts.safeParse(JSON.parse(text.slice(text.indexOf(' ')))).data;
      if (!facts || dead.includes(name)) return [];
      return { name, silentMs: Math.max(0, now - (validUntil(text) - validMs)), ...facts };
    })
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}

const validUntil = (text: string): number => Number(text.slice(0, text.indexOf(' ')));
