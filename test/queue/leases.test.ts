import { setTimeout as sleep } from 'node:timers/promises';
import { beforeEach, describe, expect, test } from 'vitest';
import {
  createInvocationQueue,
  type InvocationQueue,
} from '../../shared/queue/invocation-queue.ts';
import type { Lease } from '../../shared/queue/lease.ts';
import { bell, indexPrefix, queueKey, storedReply } from '../../shared/queue/names.ts';
import type { Tenant } from '../../shared/tenants/tenant.ts';
import { aCall, anId, aTenant, claimOne, done } from './calls.ts';
import { openRedis } from './redis.ts';

const redis = await openRedis();
const commands = await redis.connect('commands');
const worker = (name: string, leaseMs = 60_000) =>
  createInvocationQueue(commands, { name, leaseMs });
const queue = worker('w');
beforeEach(() => redis.clear());

const index = (suffix: string): string => indexPrefix(0) + suffix;
const lockOf = ({ tenant, id }: Lease): string => queueKey(0, tenant, `${id}:lock`);
/** What the expiry of a lease does. */
const lapse = (lease: Lease) => redis.raw.del(lockOf(lease));
/** As if the time of every check had come. */
async function sweep(): Promise<Awaited<ReturnType<InvocationQueue['sweep']>>> {
  for (const tenant of await redis.raw.zrange(index('busy'), '0', '-1')) {
    await redis.raw.zadd(index('busy'), 0, tenant);
  }
  return queue.sweep(0);
}
async function admit(tenant: Tenant, n = 1): Promise<void> {
  for (let i = 0; i < n; i += 1) await queue.admit(aCall(tenant));
}
async function heldOne(tenant: Tenant = aTenant()): Promise<Lease> {
  await admit(tenant);
  return claimOne(queue);
}
/** How many replies are published while `work` is done. */
async function published(work: () => Promise<unknown>): Promise<number> {
  const listener = await redis.connect('subscriptions');
  await listener.subscribe('mesh:reply:test', 'end');
  const { promise, resolve } = Promise.withResolvers<number>();
  let count = 0;
  listener.on('message', (channel: string) => (channel === 'end' ? resolve(count) : (count += 1)));
  await work();
  await redis.raw.publish('end', '');
  return promise;
}

describe('the cap', () => {
  test('holds for every start, and starts at once what a raised one lets start', async () => {
    const tenant = aTenant({ concurrency: 2 });
    await admit(tenant, 6);
    const { leases } = await queue.claim(0, 6);
    expect(leases).toHaveLength(2);
    await redis.raw.del(bell(0));
    expect(await queue.setLimits(aTenant({ concurrency: 4, version: 2 }))).toBe(true);
    expect(await redis.raw.llen(bell(0))).toBe(1);
    expect((await queue.claim(0, 6)).leases).toHaveLength(2);

    await queue.setLimits(aTenant({ concurrency: 1, version: 3 }));
    for (const lease of leases) {
      expect((await queue.settle(lease, done(lease), 1)).leases).toEqual([]);
    }
  });

  test('that is missing starts nothing', async () => {
    const tenant = aTenant();
    await admit(tenant);
    await redis.raw.hdel(queueKey(0, tenant.id, 'meta'), 'concurrency');
    expect((await queue.claim(0, 1)).leases).toEqual([]);
    expect(await redis.raw.zcard(index('ready'))).toBe(0);
  });

  test('of zero lets a call wait until its deadline, which ends it', async () => {
    const tenant = aTenant({ concurrency: 0 });
    const { invocation } = aCall(tenant);
    await queue.admit({ ...aCall(tenant), invocation, timeoutMs: 5 });
    await sleep(10);
    expect((await queue.sweep(0)).expired).toEqual([`acme/${invocation.id}`]);
    const stored = await redis.raw.get(storedReply(0, invocation.id));
    expect(stored).toContain('"status":"expired","begun":false');
    expect((await queue.sweep(0)).expired).toEqual([]);
  });
});

describe('a settlement', () => {
  test('of a lease that somebody else holds by now is lost', async () => {
    const stale = await heldOne();
    await lapse(stale);
    expect((await sweep()).recovered).toEqual([`acme/${stale.id}`]);
    const current = await claimOne(queue);
    expect(current).toMatchObject({ id: stale.id, attempt: 2, begun: false });
    expect((await queue.settle(stale, done(stale), 0)).settled).toBe(false);
    expect((await queue.settle(current, done(current), 0)).settled).toBe(true);
  });

  test('sent twice is settled once and published once', async () => {
    const lease = await heldOne();
    const heard = await published(async () => {
      expect((await queue.settle(lease, done(lease), 0)).settled).toBe(true);
      expect((await queue.settle(lease, done(lease), 0)).settled).toBe(true);
    });
    expect(heard).toBe(1);
  });

  test('brings the next calls of any tenant, whether it was lost or not', async () => {
    const lease = await heldOne();
    await admit(aTenant({ id: 'other' }), 3);
    const { leases } = await queue.settle(lease, done(lease), 1);
    expect(leases.map(({ tenant }) => tenant)).toEqual(['other']);
    expect((await queue.settle({ ...lease, token: 'x' }, done(lease), 2)).leases).toHaveLength(2);
  });

  test('of a begun call whose lease lapsed, and which nobody took, is its beginner’s alone', async () => {
    const lease = await heldOne();
    expect(await queue.begin(lease)).toBe('begun');
    await lapse(lease);
    const stranger = { ...lease, token: 'stranger' };
    expect((await queue.settle(stranger, done(lease), 0)).settled).toBe(false);
    expect((await queue.settle(lease, done(lease, '{"n":1}'), 0)).settled).toBe(true);
    expect(await redis.raw.get(storedReply(0, lease.id))).toContain('{"n":1}');
  });

  test('of a call that had not begun and whose lease lapsed is nobody’s', async () => {
    const lease = await heldOne();
    await lapse(lease);
    expect((await queue.settle(lease, done(lease), 0)).settled).toBe(false);
    expect((await sweep()).recovered).toHaveLength(1);
  });
});

describe('a once-call', () => {
  test('begins once, however often that is said', async () => {
    const lease = await heldOne();
    expect(await queue.begin(lease)).toBe('begun');
    expect(await queue.begin(lease)).toBe('begun');
  });

  test('does not begin without its lease', async () => {
    const lease = await heldOne();
    await lapse(lease);
    expect(await queue.begin(lease)).toBe('lost');
  });

  test('never begins a second time', async () => {
    const first = await heldOne();
    await queue.begin(first);
    await lapse(first);
    await sweep();
    const second = await claimOne(queue);
    expect(second.begun).toBe(true);
    expect(await queue.begin(second)).toBe('unknown');
    expect(await queue.begin(first)).toBe('lost');
  });

  test('is not called cancelled once it has begun, but goes to a worker that says its outcome is unknown', async () => {
    const tenant = aTenant();
    const lease = await heldOne(tenant);
    await queue.begin(lease);
    await lapse(lease);
    await sweep();
    expect(await queue.cancel(tenant, lease.id)).toBe('asked');
    expect(await claimOne(queue)).toMatchObject({ id: lease.id, begun: true, cancelled: true });
  });

  test('that expires after it had begun says so', async () => {
    const lease = await heldOne();
    await queue.begin(lease);
    await lapse(lease);
    await redis.raw.zadd(index('deadlines'), 1, `acme/${lease.id}`);
    expect((await sweep()).expired).toHaveLength(1);
    expect(await redis.raw.get(storedReply(0, lease.id))).toContain('"begun":true');
  });
});

test('a released call is the next to start', async () => {
  const tenant = aTenant();
  await admit(tenant, 3);
  const first = await claimOne(queue);
  expect(await queue.release(first)).toBe(true);
  expect(await queue.release(first)).toBe(false);
  const again = await claimOne(queue);
  expect(again).toMatchObject({ id: first.id, attempt: 2 });
  expect(again.token).not.toBe(first.token);
});

describe('a cancel', () => {
  test('ends a waiting call, tells the worker of a running one, and finds others gone', async () => {
    const tenant = aTenant();
    await admit(tenant);
    const running = await claimOne(queue);
    const listener = await redis.connect('subscriptions');
    await listener.subscribe('mesh:worker:w');
    const told = new Promise((resolve) => listener.once('message', (_, text) => resolve(text)));
    const call = aCall(tenant);
    await queue.admit(call);
    expect(await published(() => queue.cancel(tenant, call.invocation.id))).toBe(1);
    expect(await queue.cancel(tenant, call.invocation.id)).toBe('gone');
    expect(await queue.cancel(tenant, running.id)).toBe('asked');
    expect(await told).toBe(`acme/${running.id}`);
    expect(await queue.renew(0, [running])).toEqual(['cancelled']);
  });

  test('that no worker heard is found by the next claim', async () => {
    const tenant = aTenant();
    const lease = await heldOne(tenant);
    await queue.cancel(tenant, lease.id);
    await queue.release(lease);
    expect((await claimOne(queue)).cancelled).toBe(true);
  });
});

describe('a lease', () => {
  test('that lapses by itself is recovered by the first sweep after it', async () => {
    const short = worker('short', 500);
    await admit(aTenant());
    const lease = await claimOne(short);
    expect((await short.sweep(0)).recovered).toEqual([]);
    await sleep(510);
    expect((await short.sweep(0)).recovered).toEqual([`acme/${lease.id}`]);
  });

  test('in its last millisecond is looked at again in the next, not in seconds', async () => {
    const lease = await heldOne();
    // A lock without an end is as present as one that ends in this very millisecond.
    await redis.raw.persist(lockOf(lease));
    await sweep();
    const due = Number(await redis.raw.zscore(index('busy'), lease.tenant));
    expect(due - Date.now()).toBeLessThan(100);
  });

  test('that is renewed is not recovered', async () => {
    const short = worker('short', 1_000);
    await admit(aTenant());
    const lease = await claimOne(short);
    for (let i = 0; i < 4; i += 1) {
      await sleep(300);
      expect(await short.renew(0, [lease, { ...lease, token: 'x' }])).toEqual(['held', 'lost']);
      expect((await sweep()).recovered).toEqual([]);
    }
    expect((await short.settle(lease, done(lease), 0)).settled).toBe(true);
  });
});

describe('a changed run of Redis', () => {
  test('blocks claims for a lease, and then lets them go', async () => {
    const short = worker('short', 500);
    expect(await short.hold(0)).toBe(0);
    await admit(aTenant());
    await redis.raw.set(index('run'), 'another');
    expect(await short.hold(0)).toBeGreaterThan(400);
    const held = await short.claim(0, 1);
    expect(held.leases).toEqual([]);
    expect(held.heldMs).toBeGreaterThan(0);
    await sleep(held.heldMs + 2);
    expect((await short.claim(0, 1)).leases).toHaveLength(1);
    expect(await short.hold(0)).toBe(0);
  });

  test('also blocks what settlements bring', async () => {
    const lease = await heldOne();
    await admit(aTenant());
    await redis.raw.set(index('run'), 'another');
    await queue.hold(0);
    expect(await queue.settle(lease, done(lease), 1)).toEqual({ settled: true, leases: [] });
  });
});

describe('the bell', () => {
  test('rings once for many calls, and each claim wakes the next worker while more is left', async () => {
    const waiting = await Promise.all([1, 2, 3].map(() => redis.connect('waiting')));
    const woken: number[] = [];
    const woke = waiting.map(async (connection, i) => {
      await connection.blpop(bell(0), 5);
      woken.push(i);
      return claimOne(queue);
    });
    await admit(aTenant(), 3);
    const leases = await Promise.all(woke);
    expect(new Set(leases.map(({ id }) => id)).size).toBe(3);
    await redis.raw.del(bell(0));
    await admit(aTenant(), 5);
    expect(await redis.raw.llen(bell(0))).toBe(1);
  });
});

describe('a full Redis', () => {
  test('refuses new calls without a trace, and finishes what it has', async () => {
    const tenant = aTenant({ concurrency: 3 });
    await admit(tenant, 6);
    const [renewed, begun, dead] = (await queue.claim(0, 3)).leases;
    if (!renewed || !begun || !dead) throw new Error('three leases');
    await lapse(dead);
    await redis.raw.zadd(index('busy'), 0, tenant.id);
    // Rates of earlier admissions end by themselves meanwhile.
    const lasting = async (): Promise<string[]> =>
      (await redis.raw.keys('*')).filter((key) => !key.includes(':rate:')).sort();
    const before = await lasting();
    await redis.raw.config('SET', 'maxmemory', '1');
    try {
      await expect(queue.admit(aCall(tenant, { id: anId('refused') }))).rejects.toThrow(/OOM/);
      expect(await lasting()).toEqual(before);

      expect(await queue.renew(0, [renewed])).toEqual(['held']);
      expect(await queue.begin(begun)).toBe('begun');
      expect((await queue.sweep(0)).recovered).toEqual([`acme/${dead.id}`]);
      expect(await queue.hold(0)).toBe(0);
      for (const lease of [renewed, begun]) {
        expect((await queue.settle(lease, done(lease), 0)).settled).toBe(true);
      }
      const { leases } = await queue.claim(0, 3);
      expect(leases[0]?.id).toBe(dead.id);
      for (const lease of leases) await queue.settle(lease, done(lease), 1);
    } finally {
      await redis.raw.config('SET', 'maxmemory', '0');
    }
  });
});
