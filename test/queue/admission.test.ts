import { setTimeout as sleep } from 'node:timers/promises';
import { beforeEach, describe, expect, test } from 'vitest';
import type { Admission, AdmissionRequest } from '../../shared/queue/admission.ts';
import { createInvocationQueue } from '../../shared/queue/invocation-queue.ts';
import { indexPrefix, queueKey } from '../../shared/queue/names.ts';
import type { Tenant } from '../../shared/tenants/tenant.ts';
import { aCall, anId, aTenant, aUser, claimOne, done } from './calls.ts';
import { openRedis } from './redis.ts';

const redis = await openRedis();
const queue = createInvocationQueue(await redis.connect('admission'), {
  name: 'q',
  leaseMs: 60_000,
});
beforeEach(() => redis.clear());

const fault = (admission: Admission) =>
  admission.outcome === 'refused' ? admission.fault : undefined;
const outcomes = (admissions: readonly Admission[]): Record<string, number> =>
  Object.fromEntries(
    [...Map.groupBy(admissions, ({ outcome }) => outcome)].map(([name, all]) => [name, all.length]),
  );
/** Asks until Redis refuses: while a test waits, time gives a little back. */
async function refusal(tenant: Tenant): Promise<Admission> {
  for (;;) {
    const admission = await queue.admit(aCall(tenant));
    if (admission.outcome === 'refused') return admission;
  }
}
const keyCount = () => redis.raw.dbsize();
/** Admissions in the order in which Redis sees them. */
const admitAll = (n: number, call: () => AdmissionRequest): Promise<Admission[]> =>
  Promise.all(Array.from({ length: n }, () => queue.admit(call())));

describe('an admission', () => {
  test('is refused without a trace when nobody waits for it any more', async () => {
    const late = await queue.admit(aCall(aTenant(), { admitBy: Date.now() - 60_000 }));
    expect(fault(late)?.code).toBe('overloaded');
    expect(await keyCount()).toBe(0);
  });

  test('comes with a deadline by the clock of Redis', async () => {
    const admission = await queue.admit(aCall(aTenant(), { timeoutMs: 5_000 }));
    expect(admission).toEqual({
      outcome: 'queued',
      now: expect.any(Number),
      deadline: admission.now + 5_000,
    });
  });

  test('sent again is the same one, also after its call has ended', async () => {
    const call = aCall(aTenant());
    const first = await queue.admit(call);
    expect(await queue.admit(call)).toMatchObject({
      ...first,
      outcome: 'attached',
      now: expect.any(Number),
    });
    const lease = await claimOne(queue);
    await queue.settle(lease, done(lease, '{"n":1}'), 0);
    expect(await queue.admit(call)).toMatchObject({
      outcome: 'replied',
      reply: expect.stringContaining('{"n":1}'),
    });
    expect((await queue.claim(0, 1)).leases).toEqual([]);
  });

  test('gives sequence numbers that increase, also when the clock of Redis steps back', async () => {
    const tenant = aTenant();
    await queue.admit(aCall(tenant));
    const ahead = Date.now() * 1_000 + 3_600_000_000;
    await redis.raw.hset(queueKey(0, tenant.id, 'meta'), 'sequence', ahead);
    await queue.admit(aCall(tenant));
    await queue.admit(aCall(tenant));
    const { leases } = await queue.claim(0, 3);
    expect(leases.slice(1).map(({ sequence }) => sequence)).toEqual([ahead + 1, ahead + 2]);
  });

  test('never overwrites newer limits with those of an older record', async () => {
    await queue.admit(aCall(aTenant({ version: 2, concurrency: 1 })));
    await queue.admit(aCall(aTenant({ version: 1, concurrency: 50 })));
    expect((await queue.claim(0, 10)).leases).toHaveLength(1);
  });

  test('makes good a change of limits that was missed', async () => {
    await queue.admit(aCall(aTenant({ version: 1, concurrency: 0 })));
    expect((await queue.claim(0, 10)).leases).toHaveLength(0);
    await queue.admit(aCall(aTenant({ version: 2, concurrency: 2 })));
    expect((await queue.claim(0, 10)).leases).toHaveLength(2);
  });
});

describe('rates', () => {
  test('admit the limit at once and not one more, with a waiting time that is enough and no longer than needed', async () => {
    const perMinute = 240;
    const spacingMs = 60_000 / perMinute;
    const tenant = aTenant({ requestsPerMinute: perMinute });
    const burst = await admitAll(perMinute + 10, () => aCall(tenant));
    const queued = burst.filter(({ outcome }) => outcome === 'queued').length;
    const lastedMs = (burst.at(-1)?.now ?? 0) - (burst[0]?.now ?? 0) + 1;
    expect(queued).toBeGreaterThanOrEqual(perMinute);
    expect(queued).toBeLessThanOrEqual(perMinute * (1 + lastedMs / 60_000));

    const refused = fault(await refusal(tenant));
    expect(refused?.code).toBe('quota_exceeded');
    expect(refused?.retryAfterMs).toBeLessThanOrEqual(spacingMs);
    await sleep((refused?.retryAfterMs ?? 0) + 1);
    expect((await queue.admit(aCall(tenant))).outcome).toBe('queued');
  });

  test('hold over any window while a caller asks without pause', async () => {
    const perMinute = 1_200;
    const tenant = aTenant({ requestsPerMinute: perMinute });
    const accepted: number[] = [];
    for (let sent = 0; sent < 2_600; sent += 200) {
      for (const { outcome, now } of await admitAll(200, () => aCall(tenant))) {
        if (outcome === 'queued') accepted.push(now);
      }
      await sleep(60);
    }
    const tooMany: [number, number][] = [];
    for (const [first, from] of accepted.entries()) {
      for (const [last, to] of accepted.entries()) {
        if (last < first) continue;
        const allowed = perMinute * (1 + (to - from + 1) / 60_000);
        if (last - first + 1 > allowed) tooMany.push([first, last]);
      }
    }
    expect(tooMany).toEqual([]);
    expect(accepted.length).toBeGreaterThan(perMinute);
  });

  test('of a user hold beside those of the tenant', async () => {
    const tenant = aTenant({ requestsPerMinute: 1_000, userRequestsPerMinute: 3 });
    const anns = await admitAll(5, () => aCall(tenant, { user: aUser('ann') }));
    const bobs = await admitAll(5, () => aCall(tenant, { user: aUser('bob') }));
    expect(outcomes(anns)).toEqual({ queued: 3, refused: 2 });
    expect(outcomes(bobs)).toEqual({ queued: 3, refused: 2 });
    const [refused] = anns.filter(({ outcome }) => outcome === 'refused');
    expect(refused && fault(refused)?.message).toContain("user's limit of 3");
  });

  test('of a tool hold for that tool alone, whoever calls it', async () => {
    const tenant = aTenant({ tools: { kv_set: 2 } });
    const sets = await admitAll(4, () => aCall(tenant, { tool: 'kv_set' }));
    expect(outcomes(sets)).toEqual({ queued: 2, refused: 2 });
    const [refused] = sets.filter(({ outcome }) => outcome === 'refused');
    expect(refused && fault(refused)?.message).toContain('2 requests a minute to kv_set');
    const bob = { tool: 'kv_set', user: aUser('bob') };
    expect((await queue.admit(aCall(tenant, bob))).outcome).toBe('refused');
    expect((await queue.admit(aCall(tenant, { tool: 'kv_get' }))).outcome).toBe('queued');
  });

  test('count what a call costs, and never refuse for good what costs more than the limit', async () => {
    const tenant = aTenant({ requestsPerMinute: 10 });
    const five = await admitAll(3, () => aCall(tenant, { cost: 5 }));
    expect(outcomes(five)).toEqual({ queued: 2, refused: 1 });
    const small = aTenant({ id: 'small', requestsPerMinute: 2 });
    expect((await queue.admit(aCall(small, { cost: 5 }))).outcome).toBe('queued');
    const free = aTenant({ id: 'free', requestsPerMinute: 1 });
    expect(outcomes(await admitAll(3, () => aCall(free, { cost: 0 })))).toEqual({ queued: 3 });
  });

  test('are spent neither by what is refused nor by what is sent again', async () => {
    const tenant = aTenant({ requestsPerMinute: 2, backlog: 1 });
    const call = aCall(tenant);
    await queue.admit(call);
    await queue.admit(call);
    expect(fault(await queue.admit(aCall(tenant)))?.code).toBe('backlog_full');
    expect(fault(await queue.admit(aCall(tenant)))?.code).toBe('backlog_full');
    await queue.claim(0, 1);
    expect((await queue.admit(aCall(tenant))).outcome).toBe('queued');
  });
});

describe('the backlog', () => {
  test('is limited in calls that wait; what runs does not count', async () => {
    const tenant = aTenant({ backlog: 2 });
    expect(outcomes(await admitAll(3, () => aCall(tenant)))).toEqual({ queued: 2, refused: 1 });
    await queue.claim(0, 1);
    expect(outcomes(await admitAll(2, () => aCall(tenant)))).toEqual({ queued: 1, refused: 1 });
  });

  test('is limited in bytes, which are given back when a call ends in whatever way', async () => {
    const tenant = aTenant({ backlogBytes: 1_000 });
    const big = () => aCall(tenant, { arguments: { text: 'x'.repeat(400) } });
    const [one, two] = [big(), big()];
    await queue.admit(one);
    const refused = await queue.admit(two);
    expect(fault(refused)).toMatchObject({ code: 'backlog_full' });
    expect(fault(refused)?.retryAfterMs).toBeGreaterThan(0);

    await queue.admit(aCall(tenant));
    await queue.cancel(tenant, one.invocation.id);
    expect((await queue.admit(two)).outcome).toBe('queued');
    const { leases } = await queue.claim(0, 2);
    expect(fault(await queue.admit(big()))?.code).toBe('backlog_full');
    for (const lease of leases) await queue.settle(lease, done(lease), 0);
    expect((await queue.admit(big())).outcome).toBe('queued');
  });

  test('names a waiting time that follows the pace at which calls end', async () => {
    const tenant = aTenant({ backlog: 100 });
    await admitAll(100, () => aCall(tenant));
    const from = performance.now();
    for (let i = 0; i < 20; i += 1) {
      const lease = await claimOne(queue);
      await sleep(10);
      await queue.settle(lease, done(lease), 0);
    }
    const eachMs = (performance.now() - from) / 20;
    await admitAll(20, () => aCall(tenant));
    const waitMs = fault(await queue.admit(aCall(tenant)))?.retryAfterMs ?? 0;
    // A tenth of the 100 calls.
    expect(waitMs).toBeGreaterThan(3 * eachMs);
    expect(waitMs).toBeLessThan(30 * eachMs);
  });
});

describe('an idempotency key', () => {
  const keyed = (given: { args?: string; replyTo?: string; id?: string } = {}) =>
    aCall(aTenant(), {
      id: anId(given.id ?? 'key', 'c'),
      fingerprint: given.args ?? 'args',
      replyTo: given.replyTo ?? 'mesh:reply:one',
      replyTtlMs: 60_000,
    });

  test('attaches a retry to the call while it waits or runs, and both hear the reply', async () => {
    const listener = await redis.connect('subscriptions');
    await listener.subscribe('mesh:reply:one', 'mesh:reply:two');
    const { promise: both, resolve } = Promise.withResolvers<string[]>();
    const heard: string[] = [];
    listener.on('message', (channel: string) => heard.push(channel) === 2 && resolve(heard));

    const first = await queue.admit(keyed());
    const second = await queue.admit(keyed({ replyTo: 'mesh:reply:two' }));
    expect(second).toMatchObject({
      outcome: 'attached',
      deadline: 'deadline' in first && first.deadline,
    });
    const lease = await claimOne(queue);
    expect((await queue.admit(keyed({ replyTo: 'mesh:reply:two' }))).outcome).toBe('attached');
    await queue.settle(lease, done(lease), 0);
    expect((await both).sort()).toEqual(['mesh:reply:one', 'mesh:reply:two']);
    expect((await queue.claim(0, 1)).leases).toEqual([]);
  });

  test('returns the first reply afterwards, without running again', async () => {
    await queue.admit(keyed());
    const lease = await claimOne(queue);
    await queue.settle(lease, done(lease, '{"n":7}'), 0);
    expect(await queue.admit(keyed())).toMatchObject({
      outcome: 'replied',
      reply: `{"v":1,"id":"${lease.id}","status":"completed"}\n{"n":7}`,
    });
    expect((await queue.claim(0, 1)).leases).toEqual([]);
  });

  test('is refused with other arguments, before and after the call has ended', async () => {
    await queue.admit(keyed());
    expect(fault(await queue.admit(keyed({ args: 'other' })))?.code).toBe('idempotency_conflict');
    const lease = await claimOne(queue);
    await queue.settle(lease, done(lease), 0);
    expect(fault(await queue.admit(keyed({ args: 'other' })))?.code).toBe('idempotency_conflict');
  });

  test.each([
    ['cancelled while waiting', async () => queue.cancel(aTenant(), keyed().invocation.id)],
    ['expired while waiting', async () => pass(keyed().invocation.id)],
    [
      'found expired by a worker',
      async () => end({ id: keyed().invocation.id, status: 'expired', begun: false }),
    ],
    [
      'cancelled while running',
      async () => end({ id: keyed().invocation.id, status: 'cancelled' }),
    ],
    [
      'failed in a way that may pass',
      async () =>
        end({
          id: keyed().invocation.id,
          status: 'faulted',
          fault: { code: 'tool_failed', message: 'busy', retryAfterMs: 10 },
        }),
    ],
  ])('lets a retry run that was %s', async (_, finish) => {
    await queue.admit(keyed());
    await finish();
    expect((await queue.admit(keyed())).outcome).toBe('queued');
  });

  test.each([
    [
      'cancelled while running',
      async () => end({ id: keyed().invocation.id, status: 'cancelled' }, true),
    ],
    [
      'expired while waiting for its second attempt',
      async () => {
        const lease = await claimOne(queue);
        await queue.begin(lease);
        await queue.release(lease);
        await pass(lease.id);
      },
    ],
  ])('never runs again what had begun and was %s', async (_, finish) => {
    await queue.admit(keyed());
    await finish();
    expect((await queue.admit(keyed())).outcome).toBe('replied');
  });

  async function pass(id: string): Promise<void> {
    await redis.raw.zadd(`${indexPrefix(0)}deadlines`, 1, `acme/${id}`);
    await queue.sweep(0);
  }

  async function end(reply: Parameters<typeof queue.settle>[1], begun = false): Promise<void> {
    const lease = await claimOne(queue);
    if (begun) await queue.begin(lease);
    await queue.settle(lease, reply, 0);
  }
});
