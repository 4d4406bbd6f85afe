import { once } from 'node:events';
import { beforeEach, describe, expect, test } from 'vitest';
import { createInvocationQueue } from '../../shared/queue/invocation-queue.ts';
import { readLeaseRecord, readQueueLimits } from '../../shared/queue/lease-record.ts';
import { indexPrefix, leaseStream } from '../../shared/queue/names.ts';
import { connectRedis } from '../../shared/queue/redis.ts';
import { verifyCaps } from '../../shared/queue/verify-caps.ts';
import type { Tenant } from '../../shared/tenants/tenant.ts';
import { aCall, aTenant, claimOne, done } from './calls.ts';
import { startOwnRedis } from './own-redis.ts';
import { openRedis, silent } from './redis.ts';

const redis = await openRedis();
const commands = await redis.connect('commands');
const queue = createInvocationQueue(commands, { name: 'w', leaseMs: 60_000 });
const acme = aTenant({ concurrency: 2 });
beforeEach(() => redis.clear());

async function judge(tenants: readonly Tenant[] = [acme], from = 0) {
  const [seconds] = await redis.raw.time();
  const limits = await readQueueLimits(
    redis.raw,
    1,
    tenants.map(({ id }) => id),
  );
  const events = await readLeaseRecord(redis.raw, 1);
  const verdict = verifyCaps(events, { from, to: (Number(seconds) + 1) * 1_000 }, limits);
  const of = ({ id }: Tenant) => verdict.tenants.find(({ tenant }) => tenant === id);
  return { ...verdict, events, of };
}

const plant = (note: string) => redis.raw.xadd(leaseStream(0), '*', 'e', note);

async function admit(tenant: Tenant, count: number): Promise<void> {
  for (let i = 0; i < count; i += 1) await queue.admit(aCall(tenant));
}

describe('the record of leases', () => {
  test('holds every admission, grant, renewal and release, and shows no violation', async () => {
    await queue.announce(8, 60_000);
    await admit(acme, 5);
    const first = await claimOne(queue);
    const second = await claimOne(queue);
    await queue.renew(0, [first, second]);
    await queue.release(second);
    const { leases } = await queue.settle(first, done(first), 4);
    expect(leases).toHaveLength(2);

    const { events, violations, of } = await judge();
    const count = (kind: string) => events.filter((event) => event.kind === kind).length;
    const kinds = ['admitted', 'waits', 'granted', 'renewed', 'settled', 'limits', 'worker'];
    expect(kinds.map(count)).toEqual([5, 1, 4, 1, 1, 1, 1]);
    expect(violations).toEqual([]);
    expect(of(acme)).toMatchObject({ cap: 2, mostRunning: 2, overCapMs: 0, grants: 4 });
  });

  test('a grant over the cap, planted by hand, is caught', async () => {
    await admit(acme, 2);
    await claimOne(queue);
    const lease = await claimOne(queue);
    expect((await judge()).violations).toEqual([]);
    await plant('g acme planted___ 60000');
    await queue.settle(lease, done(lease), 0);
    const { violations, of } = await judge();
    expect(violations).toMatchObject([
      { tenant: 'acme', what: 'over the cap', call: 'acme/planted___', running: 3, cap: 2 },
    ]);
    expect(of(acme)).toMatchObject({ mostRunning: 3 });
  });

  test('a second lease on a running call, and a settlement of a waiting one, are caught', async () => {
    await admit(acme, 1);
    const lease = await claimOne(queue);
    const call = lease.id.slice(2, 12);
    await plant(`g acme ${call} 60000`);
    await plant(`l acme ${call}`);
    await plant(`s acme ${call}`);
    expect((await judge()).violations.map(({ what }) => what)).toEqual([
      'two leases on one call',
      'settled without a lease',
    ]);
  });

  test('a lowered cap lets what runs run out, and nothing start', async () => {
    await admit(acme, 6);
    const one = await claimOne(queue);
    const two = await claimOne(queue);
    await queue.setLimits(aTenant({ concurrency: 1, version: 2 }));
    await queue.settle(one, done(one), 1);
    await queue.settle(two, done(two), 1);
    const { violations, of } = await judge();
    expect(violations).toEqual([]);
    expect(of(acme)).toMatchObject({ cap: 1, mostRunning: 2, grants: 3 });
    await plant('g acme planted___ 60000');
    expect((await judge()).violations).toMatchObject([{ running: 2, cap: 1 }]);
  });

  test('a lease that ran out frees its place, in the record as in the queue', async () => {
    await admit(acme, 4);
    const brief = createInvocationQueue(commands, { name: 'b', leaseMs: 1 });
    await brief.claim(0, 2);
    await redis.raw.zadd(`${indexPrefix(0)}busy`, 0, acme.id);
    await expect.poll(async () => (await queue.sweep(0)).recovered.length).toBeGreaterThan(0);
    await queue.claim(0, 2);
    expect((await judge()).violations).toEqual([]);
  });

  test('tells the time that a call waited beside a free slot, and only that', async () => {
    await queue.announce(2, 60_000);
    const start = 1_000_000;
    const note = (at: number, text: string) =>
      redis.raw.xadd(leaseStream(0), `${start + at}-0`, 'e', text);
    await redis.raw.del(leaseStream(0));
    await note(0, 'w w1 1 60000;c acme - 2 1');
    await note(10, 'a acme one');
    await note(15, 'g acme one 60000');
    await note(20, 'a acme two');
    await note(120, 's acme one');
    await note(127, 'g acme two 60000');
    const { of } = await judge();
    expect(of(acme)?.longestFreeWaitMs).toBe(7);
  });

  test('shares among contending tenants follow their weights', async () => {
    const light = aTenant({ id: 'light', weight: 1 });
    const heavy = aTenant({ id: 'heavy', weight: 3 });
    await admit(light, 100);
    await admit(heavy, 100);
    let lease = await claimOne(queue);
    for (let i = 0; i < 100; i += 1) {
      const [next] = (await queue.settle(lease, done(lease), 1)).leases;
      if (!next) throw new Error('nothing to run');
      lease = next;
    }
    const { of } = await judge([light, heavy]);
    for (const [tenant, due] of [
      [light, 0.25],
      [heavy, 0.75],
    ] as const) {
      expect(of(tenant)?.share).toBeCloseTo(due, 1);
      expect(of(tenant)?.dueShare).toBeCloseTo(due, 1);
    }
  });
});

test('a Redis that comes back with nothing is held by whoever knew it before', async () => {
  await using server = await startOwnRedis('--appendonly', 'no');
  const connection = connectRedis(server.url, 'commands', silent);
  await once(connection, 'ready');
  const long = createInvocationQueue(connection, { name: 'w', leaseMs: 60_000 });
  expect(await long.hold(0)).toBe(0);
  // Not `once` of node:events, which takes the errors in between for the end.
  const again = new Promise((resolve) => connection.once('ready', resolve));
  await server.kill();
  await server.start();
  await again;
  expect(await connection.dbsize()).toBe(0);
  expect(await long.hold(0)).toBeGreaterThan(50_000);
  connection.disconnect();
});
