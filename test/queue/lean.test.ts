/**
 * Our own add, start and finish beside BullMQ's, on the same queue: whatever state stock tools have brought
 * it to, both say the same and leave the same in Redis.
 *
 * What may differ is what nobody reads here: BullMQ's events, the marker that wakes its blocking workers,
 * its counter of ids, and the time of day.
 */
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { createLuaScript } from '../../shared/queue/lua-script.ts';
import { indexPrefix, queueKey } from '../../shared/queue/names.ts';
import { composeScript } from '../../shared/queue/scripts/compose.ts';
import { aTenant } from './calls.ts';
import { openRedis } from './redis.ts';

const redis = await openRedis();
const { id: tenant } = aTenant();

const keyNames = (names: readonly string[]): string =>
  names.map((name) => `queue .. '${name}'`).join(', ');
const takeKeys = ['wait', 'active', 'prioritized', 'events', 'stalled', 'limiter', 'delayed'];
const head = `local tenant, id, token = ARGV[1], ARGV[2], ARGV[3] local queue = queueOf(tenant)`;

/** Each as it stands in our scripts, and as stock BullMQ would do it. */
const transitions = {
  add: {
    ours: composeScript(
      ['record', 'book', 'add'],
      `${head} add(open(tenant), id, 'a_tool', '{}', {}) return id`,
    ),
    bullmq: composeScript(
      ['bullAdd'],
      `${head} return bullAdd({ ${keyNames(['wait', 'paused', 'meta', 'id', 'completed', 'delayed', 'active', 'events', 'marker'])} },
        { cmsgpack.pack({ queue, id, 'a_tool', now }), '{}', cmsgpack.pack({ attempts = 1 }) })`,
    ),
  },
  start: {
    ours: composeScript(
      ['bullTake', 'record', 'book', 'start'],
      `${head} return (start(open(tenant), token, 60000, 'w')) or 'none'`,
    ),
    bullmq: composeScript(
      ['bullTake'],
      `${head} local job = bullTake({ ${keyNames([...takeKeys, 'paused', 'meta', 'pc', 'marker'])} },
        { queue, whole(now), cmsgpack.pack({ token = token, lockDuration = 60000, name = 'w' }) })
        return type(job[1]) == 'table' and job[2] or 'none'`,
    ),
  },
  finish: {
    ours: composeScript(
      ['bullFinish', 'record', 'book', 'finish', 'conclude'],
      `${head} return finish(open(tenant), id, token, jobOf(tenant, id)) and 'done' or 'lost'`,
    ),
    bullmq: composeScript(
      ['bullFinish'],
      `${head} local code = bullFinish({ ${keyNames([...takeKeys, 'paused', 'meta', 'pc', 'completed', ''])} .. id, ${keyNames(['metrics', 'marker'])} },
        { id, whole(now), 'returnvalue', '1', 'completed', '0', queue,
          cmsgpack.pack({ token = token, keepJobs = { count = 0 }, attempts = 1, maxMetricsSize = '', lockDuration = 1 }) })
        return type(code) == 'number' and code < 0 and 'lost' or 'done'`,
    ),
  },
} as const;
type Transition = keyof typeof transitions;
const sides = { ours: 0, bullmq: 1 } as const;

/** Does the same on both sides' queues; each has a shard to itself. */
async function onBoth(
  work: (shard: number, side: keyof typeof sides) => Promise<unknown>,
): Promise<void> {
  const ours = await work(sides.ours, 'ours');
  expect(ours).toEqual(await work(sides.bullmq, 'bullmq'));
}

const run = (name: Transition, id: string, token: string): Promise<void> =>
  onBoth((shard, side) =>
    createLuaScript(transitions[name][side]).run(
      redis.raw,
      [indexPrefix(shard)],
      [tenant, id, token],
    ),
  );

const command = (name: string, suffix: string, ...args: readonly (string | number)[]) =>
  onBoth((shard) => redis.raw.call(name, queueKey(shard, tenant, suffix), ...args));

/** What stock tools, operators and crashes may do to a queue. */
const disturbances = {
  cap: (n: number) => command('HSET', 'meta', 'concurrency', n % 4),
  pause: () => command('HSET', 'meta', 'paused', 1),
  resume: () => command('HDEL', 'meta', 'paused'),
  limitRate: (n: number) => command('HSET', 'meta', 'max', 1 + (n % 2), 'duration', 60_000),
  unlimitRate: () => command('HDEL', 'meta', 'max', 'duration'),
  prioritize: (n: number) => command('ZADD', 'prioritized', n + 1, `p${n % 3}`),
  delay: (n: number) => command('ZADD', 'delayed', n % 2 === 0 ? 0 : 9e15, `d${n % 3}`),
  mark: () => command('RPUSH', 'wait', '0:0'),
  forget: (n: number) => command('DEL', `j${n % 6}`),
  unlock: (n: number) => command('DEL', `j${n % 6}:lock`),
  suspect: (n: number) => command('SADD', 'stalled', `j${n % 6}`),
  log: (n: number) => command('RPUSH', `j${n % 6}:logs`, 'line'),
  expectChild: (n: number) => command('SADD', `j${n % 6}:dependencies`, 'child'),
  failChild: (n: number) => command('ZADD', `j${n % 6}:unsuccessful`, 1, 'child'),
  deduplicate: (n: number) => command('HSET', `j${n % 6}`, 'deid', 'same'),
  takeAway: (n: number) => command('LREM', 'active', 1, `j${n % 6}`),
} as const;
type Disturbance = keyof typeof disturbances;

type Step = { readonly do: Transition | Disturbance; readonly n: number };
const isTransition = (name: string): name is Transition => Object.hasOwn(transitions, name);
const n = fc.nat({ max: 11 });
const anySteps = fc.array(
  fc.oneof(
    {
      weight: 4,
      arbitrary: fc.record({
        do: fc.constantFrom<Transition>(
          'add',
          'add',
          'start',
          'start',
          'finish',
          'finish',
          'finish',
        ),
        n,
      }),
    },
    {
      weight: 1,
      arbitrary: fc.record({
        do: fc.constantFrom<Disturbance>(...(Object.keys(disturbances) as Disturbance[])),
        n,
      }),
    },
  ),
  { minLength: 5, maxLength: 40, size: 'max' },
);

/** Everything of a queue as JSON, with the time of day left out. */
const dump = createLuaScript(`
  local start, found = KEYS[1], {}
  local reads = {
    string = function(key) return { redis.call('GET', key), redis.call('PTTL', key) > 0 } end,
    list = function(key) return redis.call('LRANGE', key, 0, -1) end,
    set = function(key) local all = redis.call('SMEMBERS', key) table.sort(all) return all end,
    zset = function(key) return redis.call('ZRANGE', key, 0, -1, 'WITHSCORES') end,
    hash = function(key)
      local flat, fields = redis.call('HGETALL', key), {}
      for i = 1, #flat, 2 do
        local isTime = flat[i] == 'timestamp' or flat[i] == 'processedOn'
        fields[flat[i]] = isTime and 'a time' or flat[i + 1]
      end
      return fields
    end,
  }
  for _, key in ipairs(redis.call('KEYS', start .. '*')) do
    local suffix = string.sub(key, #start + 1)
    if suffix ~= 'events' and suffix ~= 'marker' and suffix ~= 'id' then
      found[suffix] = reads[redis.call('TYPE', key).ok](key)
    end
  end
  return cjson.encode(found)`);
const look = async (shard: number): Promise<unknown> =>
  JSON.parse(String(await dump.run(redis.raw, [queueKey(shard, tenant, '')], [])));

/** Mostly what runs, under its own token. */
async function pickRunning(n: number): Promise<{ readonly id: string; readonly token: string }> {
  const id = await redis.raw.lindex(queueKey(sides.ours, tenant, 'active'), n % 3);
  if (id === null) return { id: `j${n % 6}`, token: 't' };
  const token = await redis.raw.get(queueKey(sides.ours, tenant, `${id}:lock`));
  return { id, token: n === 0 || token === null ? 'another' : token };
}

async function transit(name: Transition, n: number): Promise<void> {
  const { id, token } = await pickRunning(n);
  if (name === 'finish') return run('finish', id, token);
  if (name === 'start') return run('start', '', `t${n}`);
  // Admission adds nothing under an id that is there.
  const fresh = `j${n % 6}`;
  if (!(await redis.raw.exists(queueKey(sides.ours, tenant, fresh)))) await run('add', fresh, '');
}

test('add, start and finish leave what BullMQ’s own leave, in any state of the queue', async () => {
  await fc.assert(
    fc.asyncProperty(anySteps, async (steps: readonly Step[]) => {
      await redis.clear();
      await command('HSET', 'meta', 'concurrency', 2, 'opts.maxLenEvents', 0);
      for (const step of steps) {
        if (isTransition(step.do)) await transit(step.do, step.n);
        else await disturbances[step.do](step.n);
        expect(await look(sides.ours), `after ${step.do}`).toEqual(await look(sides.bullmq));
      }
    }),
    { numRuns: 150, interruptAfterTimeLimit: 20_000 },
  );
}, 120_000);
