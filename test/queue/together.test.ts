/** Calls that are admitted or settled in one turn of the event loop travel in one script. */
import { beforeEach, expect, test } from 'vitest';
import { createInvocationQueue } from '../../shared/queue/invocation-queue.ts';
import { queueKey } from '../../shared/queue/names.ts';
import type { Tenant } from '../../shared/tenants/tenant.ts';
import { aCall, aTenant, claimOne, done } from './calls.ts';
import { openRedis } from './redis.ts';

const redis = await openRedis();
const queue = createInvocationQueue(await redis.connect('commands'), {
  name: 'w',
  leaseMs: 60_000,
});
beforeEach(() => redis.clear());

const acme = aTenant();
const globex = aTenant({ id: 'globex' });

const admitAll = (tenant: Tenant, n: number) =>
  Promise.all(Array.from({ length: n }, () => queue.admit(aCall(tenant))));
const outcomes = async (tenant: Tenant, n: number): Promise<readonly string[]> =>
  (await admitAll(tenant, n)).map((each) =>
    each.outcome === 'refused' ? each.fault.code : each.outcome,
  );

async function scriptsDuring(work: () => Promise<unknown>): Promise<number> {
  await redis.raw.config('RESETSTAT');
  await work();
  const stats = await redis.raw.info('commandstats');
  return Number(/cmdstat_evalsha:calls=(\d+)/.exec(stats)?.[1] ?? 0);
}

test('sixteen of them are one script, and one more is another', async () => {
  // Redis comes to know the scripts.
  await admitAll(acme, 1);
  const first = await claimOne(queue);
  await queue.settle(first, done(first), 0);

  expect(await scriptsDuring(() => admitAll(acme, 16))).toBe(1);
  expect(await scriptsDuring(() => admitAll(acme, 17))).toBe(2);
  const { leases } = await queue.claim(0, 16);
  const settleAll = () => Promise.all(leases.map((each) => queue.settle(each, done(each), 1)));
  expect(await scriptsDuring(settleAll)).toBe(1);
});

test('rates hold as if they had come one by one', async () => {
  const limited = aTenant({ requestsPerMinute: 5 });
  const expected = [...Array(5).fill('queued'), ...Array(3).fill('quota_exceeded')];
  expect(await outcomes(limited, 8)).toEqual(expected);
  expect(await outcomes(limited, 1)).toEqual(['quota_exceeded']);
});

test('so does the backlog, and what it refuses costs no rate', async () => {
  const limited = aTenant({ backlog: 2, requestsPerMinute: 4 });
  expect(await outcomes(limited, 4)).toEqual([
    ...['queued', 'queued'],
    ...['backlog_full', 'backlog_full'],
  ]);
  await queue.claim(0, 2);
  expect(await outcomes(limited, 3)).toEqual(['queued', 'queued', 'quota_exceeded']);
});

test('the cap holds for what their settlements bring', async () => {
  const capped = aTenant({ concurrency: 3 });
  await admitAll(capped, 8);
  const { leases } = await queue.claim(0, 3);
  const settled = await Promise.all(leases.map((each) => queue.settle(each, done(each), 2)));
  expect(settled.map((each) => each.leases.length)).toEqual([2, 1, 0]);
  expect(await redis.raw.llen(queueKey(0, capped.id, 'active'))).toBe(3);
});

test('each settlement has its own outcome', async () => {
  await admitAll(acme, 2);
  const { leases } = await queue.claim(0, 2);
  const [held, lost] = leases;
  if (!held || !lost) throw new Error('two leases');
  const stranger = { ...lost, token: 'another' };
  const [first, second] = await Promise.all([
    queue.settle(stranger, done(stranger), 0),
    queue.settle(held, done(held), 0),
  ]);
  expect([first.settled, second.settled]).toEqual([false, true]);
});

test('one whose keys hold something unexpected fails alone, in admission', async () => {
  await redis.raw.set(queueKey(0, globex.id, 'meta'), 'not a hash');
  const [bad, good] = await Promise.allSettled([
    queue.admit(aCall(globex)),
    queue.admit(aCall(acme)),
  ]);
  expect(bad).toMatchObject({ status: 'rejected' });
  expect(good).toMatchObject({ status: 'fulfilled', value: { outcome: 'queued' } });
  expect((await claimOne(queue)).tenant).toBe(acme.id);
});

test('and in settlement: the others get their replies and their next calls', async () => {
  await admitAll(globex, 1);
  await admitAll(acme, 2);
  const { leases } = await queue.claim(0, 2);
  await redis.raw.set(queueKey(0, globex.id, 'meta'), 'not a hash');
  const settled = await Promise.allSettled(leases.map((each) => queue.settle(each, done(each), 1)));
  const byTenant = new Map(leases.map(({ tenant }, i) => [tenant, settled[i]]));
  expect(byTenant.get(globex.id)).toMatchObject({ status: 'rejected' });
  expect(byTenant.get(acme.id)).toMatchObject({ status: 'fulfilled', value: { settled: true } });
  expect(await redis.raw.llen(queueKey(0, acme.id, 'active'))).toBe(1);
});
