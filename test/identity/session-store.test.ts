import * as fc from 'fast-check';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { UserId } from '../../shared/ids.ts';
import { sessionFacts, sessionsByUse } from '../../shared/queue/names.ts';
import { createSessionStore } from '../../shared/sessions/session-store.ts';
import { Tenant } from '../../shared/tenants/tenant.ts';
import { startTestRedis, type TestRedis } from '../support/redis.ts';
import { createSessionModel } from './session-model.ts';

const ann = UserId.parse('ann');
const idleMs = 1_800_000;
const noteMs = 60_000;

let server: TestRedis;
let redis: Redis;
beforeAll(async () => {
  server = await startTestRedis();
  redis = new Redis(server.url);
});
afterAll(async () => {
  redis.disconnect();
  await server[Symbol.asyncDispose]();
});

let tenants = 0;
function aTenant(sessions = 1_000): Tenant {
  tenants += 1;
  return Tenant.parse({ id: `t${tenants}`, name: 't', shard: 3, limits: { sessions } });
}

const session = (id: string, client = 'c') => ({ id, user: ann, client });

/** What time does, without waiting: every note becomes so much older. */
async function age({ shard, id }: Tenant, ms: number): Promise<void> {
  const key = sessionsByUse(shard, id);
  for (const member of await redis.zrange(key, '0', '-1'))
    await redis.zincrby(key, String(-ms), member);
}

describe('the session store', () => {
  const store = () => createSessionStore(redis, { idleMs, noteMs });

  test('agrees with a plain list, whatever happens in which order', async () => {
    const id = fc.constantFrom('a', 'b', 'c', 'd', 'e');
    const step = fc.oneof(
      fc.record({ do: fc.constant('open' as const), id }),
      fc.record({ do: fc.constant('touch' as const), id }),
      fc.record({ do: fc.constant('end' as const), id }),
      fc.record({ do: fc.constant('wait' as const), ms: fc.constantFrom(20_000, 900_000) }),
    );
    const steps = fc.array(step, { maxLength: 25 });
    const run = fc.asyncProperty(steps, fc.integer({ min: 1, max: 3 }), async (steps, limit) => {
      const tenant = aTenant(limit);
      const real = store();
      let waited = 0;
      let turn = 0;
      const now = () => waited + turn;
      const model = createSessionModel({ idleMs, noteMs, now });
      for (const each of steps) {
        // Apart by more than a real test takes, and by far less than any limit.
        turn += 1_000;
        await age(tenant, 1_000);
        if (each.do === 'wait') {
          waited += each.ms;
          await age(tenant, each.ms);
        }
        const known = await model.list(tenant);
        const act = (one: typeof real) => {
          if (each.do === 'wait') return one.list(tenant).then(({ length }) => length);
          if (each.do === 'open') return one.open(tenant, session(`${each.id}${turn}`));
          const target = known.find(({ id }) => id.startsWith(each.id))?.id ?? each.id;
          return each.do === 'touch' ? one.touch(tenant, target) : one.end(tenant, [target]);
        };
        expect(await act(real)).toEqual(await act(model));
        const ids = async (one: typeof real) => (await one.list(tenant)).map(({ id }) => id);
        expect(await ids(real)).toEqual(await ids(model));
      }
    });
    await fc.assert(run, { numRuns: 40 });
  });

  test('tells who opened a session with which client, and when', async () => {
    const tenant = aTenant();
    const before = Date.now() - 1_000;
    await store().open(tenant, session('one', 'editor "☃"'));
    const [record] = await store().list(tenant);
    expect(record).toMatchObject({ id: 'one', user: 'ann', client: 'editor "☃"' });
    expect(record?.createdAt).toBeGreaterThan(before);
    expect(record?.createdAt).toBe(record?.lastSeenAt);
  });

  test('notes a use at most once a minute', async () => {
    const tenant = aTenant();
    await store().open(tenant, session('one'));
    await age(tenant, 30_000);
    const [early] = await store().list(tenant);
    await store().touch(tenant, 'one');
    expect((await store().list(tenant))[0]).toEqual(early);
    await age(tenant, 31_000);
    await store().touch(tenant, 'one');
    expect((await store().list(tenant))[0]?.lastSeenAt).toBeGreaterThan(early?.lastSeenAt ?? 0);
  });

  test('leaves nothing behind of a tenant whose clients never said goodbye', async () => {
    const tenant = aTenant();
    const brief = createSessionStore(redis, { idleMs: 300 });
    await brief.open(tenant, session('one'));
    const keys = [sessionsByUse(tenant.shard, tenant.id), sessionFacts(tenant.shard, tenant.id)];
    expect(await redis.exists(...keys)).toBe(2);
    expect(keys.every((key) => key.startsWith('{mesh:3}:'))).toBe(true);
    await expect.poll(() => redis.exists(...keys), { timeout: 5_000 }).toBe(0);
    expect(await brief.touch(tenant, 'one')).toBe(false);
  });

  test('never lets two opened at once pass the limit', async () => {
    const tenant = aTenant(5);
    const opened = await Promise.all(
      Array.from({ length: 40 }, (_, at) => store().open(tenant, session(`s${at}`))),
    );
    expect(await store().list(tenant)).toHaveLength(5);
    expect(opened.flat()).toHaveLength(35);
    expect(await redis.hlen(sessionFacts(tenant.shard, tenant.id))).toBe(5);
  });

  test('keeps tenants apart', async () => {
    const [one, two] = [aTenant(), aTenant()];
    await store().open(one, session('same'));
    expect(await store().touch(two, 'same')).toBe(false);
    expect(await store().end(two, ['same'])).toBe(0);
    expect(await store().list(two)).toEqual([]);
    expect(await store().touch(one, 'same')).toBe(true);
  });
});
