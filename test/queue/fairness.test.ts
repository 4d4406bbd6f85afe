import { beforeEach, expect, test } from 'vitest';
import type { Tenant } from '../../shared/tenants/tenant.ts';
import { createInvocationQueue } from '../../shared/queue/invocation-queue.ts';
import { aCall, aTenant, claimOne, done } from './calls.ts';
import { openRedis } from './redis.ts';

const redis = await openRedis();
const queue = createInvocationQueue(await redis.connect('commands'), {
  name: 'w',
  leaseMs: 60_000,
});
beforeEach(() => redis.clear());

async function admit(tenant: Tenant, n: number): Promise<void> {
  await Promise.all(Array.from({ length: n }, () => queue.admit(aCall(tenant))));
}

/** One slot that goes from call to call. Returns whose calls they were. */
async function serve(n: number): Promise<string[]> {
  const served: string[] = [];
  let lease = await claimOne(queue);
  for (;;) {
    served.push(lease.tenant);
    const { leases } = await queue.settle(lease, done(lease), served.length < n ? 1 : 0);
    const [next] = leases;
    if (!next) return served;
    lease = next;
  }
}

const count = (served: readonly string[], tenant: string): number =>
  served.filter((each) => each === tenant).length;

test('shares follow weights', async () => {
  for (const [id, weight] of [
    ['one', 1],
    ['two', 2],
    ['four', 4],
  ] as const) {
    await admit(aTenant({ id, weight }), 700);
  }
  const served = await serve(700);
  expect(Math.abs(count(served, 'one') - 100)).toBeLessThanOrEqual(2);
  expect(Math.abs(count(served, 'two') - 200)).toBeLessThanOrEqual(2);
  expect(Math.abs(count(served, 'four') - 400)).toBeLessThanOrEqual(2);
});

test('a newcomer is served within one round, whatever the others have waiting', async () => {
  const others = ['a', 'b', 'c', 'd'];
  for (const id of others) await admit(aTenant({ id }), 200);
  await serve(400);
  await admit(aTenant({ id: 'new' }), 1);
  const round = await serve(others.length + 1);
  expect(count(round, 'new')).toBe(1);
});

test('who was away does not catch up on what it did not ask for', async () => {
  for (const id of ['here', 'away']) await admit(aTenant({ id }), 10);
  await serve(20);
  await admit(aTenant({ id: 'here' }), 300);
  await serve(100);
  await admit(aTenant({ id: 'away' }), 100);
  const served = await serve(100);
  expect(Math.abs(count(served, 'away') - 50)).toBeLessThanOrEqual(1);
});

test('a flood of one tenant costs each quiet one a single turn', async () => {
  await admit(aTenant({ id: 'flood' }), 5_000);
  await serve(50);
  const quiet = Array.from({ length: 10 }, (_, i) => `quiet-${i}`);
  for (let round = 0; round < 5; round += 1) {
    for (const id of quiet) await admit(aTenant({ id }), 1);
    const served = await serve(quiet.length + 2);
    for (const id of quiet) expect(served).toContain(id);
  }
}, 30_000);

test('a claim of several is spread over the tenants', async () => {
  for (const id of ['a', 'b', 'c', 'd']) await admit(aTenant({ id }), 20);
  const { leases } = await queue.claim(0, 8);
  for (const id of ['a', 'b', 'c', 'd'])
    expect(
      count(
        leases.map((l) => l.tenant),
        id,
      ),
    ).toBe(2);
});

test('a tenant at its cap blocks nobody', async () => {
  await admit(aTenant({ id: 'capped', concurrency: 2 }), 100);
  await admit(aTenant({ id: 'open' }), 100);
  const { leases } = await queue.claim(0, 50);
  const tenants = leases.map(({ tenant }) => tenant);
  expect(count(tenants, 'capped')).toBe(2);
  expect(count(tenants, 'open')).toBe(48);
});
