/**
 * Real Redis and the model, taken through the same steps. Every step asserts that both answered the
 * same and left the same behind. What a step means depends on what is there, so that any list of
 * steps is a valid one, and a shorter one too.
 */
import type { Redis } from 'ioredis';
import { expect } from 'vitest';
import { keyedInvocationId, type InvocationId, type TenantId } from '../../shared/ids.ts';
import { createInvocationQueue } from '../../shared/queue/invocation-queue.ts';
import type { Reply } from '../../shared/queue/invocation.ts';
import type { Lease } from '../../shared/queue/lease.ts';
import { indexPrefix, indexSuffixes, queueKey } from '../../shared/queue/names.ts';
import type { Tenant } from '../../shared/tenants/tenant.ts';
import { aCall, anId, aTenant } from './calls.ts';
import { Model, type Call } from './model.ts';
import { viewModel, viewRedis } from './snapshot.ts';
import type { Step } from './steps.ts';

/** Nothing lapses by itself. */
const leaseMs = 3_600_000;
const far = 9_000_000_000_000;
const backlog = 6;

const tenantIds = ['t-0', 't-1', 't-2'] as const;
export const channels = ['mesh:reply:a', 'mesh:reply:b'] as const;

const index = (name: keyof typeof indexSuffixes): string => indexPrefix(0) + indexSuffixes[name];

export function createSideBySide(redis: Redis) {
  const model = new Model();
  const workers = [0, 1].map((i) => createInvocationQueue(redis, { name: `w${i}`, leaseMs }));
  const records = tenantIds.map((id) => aTenant({ id, concurrency: 2, backlog }));
  const ids: TenantId[] = records.map(({ id }) => id);
  /** Every lease ever given out, so that stale ones are tried too. */
  const leases: Lease[] = [];
  const admitted: { readonly tenant: number; readonly id: InvocationId }[] = [];
  /** How often an id was accepted as new. */
  const accepted = new Map<InvocationId, number>();
  let made = 0;

  const worker = (i: number) => at(workers, i);
  const record = (i: number): Tenant => at(records, i);
  const revise = (i: number, limits: { cap: number; weight: number }): Tenant => {
    const { id, version } = record(i);
    const next = { id, backlog, weight: limits.weight, version: version + 1 };
    return (records[i] = aTenant({ ...next, concurrency: limits.cap }));
  };

  /** Both have started calls: the same ones, in the same order and state. */
  const started = (real: readonly Lease[], expected: readonly Call[]): void => {
    expect(real.map(brief)).toEqual(
      expected.map(({ id, attempts, begun, cancelled }) => ({
        id,
        attempt: attempts,
        begun: begun !== undefined,
        cancelled,
      })),
    );
    for (const [i, lease] of real.entries()) at(expected, i).token = lease.token;
    for (const { tenant } of real) {
      const { active, cap } = model.queue(tenant);
      expect(active.size, 'live leases within the cap at every start').toBeLessThanOrEqual(
        cap ?? 0,
      );
    }
    leases.push(...real);
  };

  const pickId = (step: Extract<Step, { do: 'admit' }>): InvocationId => {
    if (step.which === 'keyed') return keyedInvocationId(`${step.tenant}`, `${step.pick % 2}`);
    const again = admitted.filter(
      ({ tenant, id }) => tenant === step.tenant && id.startsWith('i-'),
    );
    if (step.which === 'again' && again.length > 0) return at(again, step.pick % again.length).id;
    return anId(`${(made += 1)}`);
  };

  const admit = async (step: Extract<Step, { do: 'admit' }>): Promise<void> => {
    const id = pickId(step);
    const call = aCall(record(step.tenant), {
      id,
      arguments: { n: 'x'.repeat(step.pick) },
      replyTo: at(channels, step.channel),
      fingerprint: step.which === 'keyed' ? at(['f', 'g'], step.pick % 5 === 0 ? 1 : 0) : '',
    });
    const expected = model.admit(call);
    const real = await worker(0).admit(call);
    expect(describe(real)).toBe(expected);
    if (real.outcome === 'queued') {
      admitted.push({ tenant: step.tenant, id });
      accepted.set(id, (accepted.get(id) ?? 0) + 1);
    }
  };

  const settleAll = async (step: Extract<Step, { do: 'settleAll' }>): Promise<void> => {
    const some = step.picks.flatMap((each) => pick(leases, each) ?? []);
    const settled = some.map((lease) => model.settle(lease, toReply('completed', lease.id)));
    const real = await Promise.all(
      some.map((lease) => worker(1).settle(lease, toReply('completed', lease.id), step.n)),
    );
    expect(real.map((each) => each.settled)).toEqual(settled);
    if (some.length === 0) return;
    started(
      real.flatMap((each) => each.leases),
      model.take(some.length * step.n),
    );
    model.ring();
  };

  const run = async (step: Step): Promise<void> => {
    switch (step.do) {
      case 'admit':
        await admit(step);
        return;
      case 'admitAll':
        await Promise.all(step.calls.map(admit));
        return;
      case 'claim':
        started((await worker(step.worker).claim(0, step.n)).leases, model.take(step.n));
        return;
      case 'begin': {
        const lease = pick(leases, step.pick);
        if (lease) expect(await worker(0).begin(lease)).toBe(model.begin(lease));
        return;
      }
      case 'settle': {
        const lease = pick(leases, step.pick);
        if (!lease) return;
        const reply = toReply(step.as, lease.id);
        const real = await worker(step.worker).settle(lease, reply, step.n);
        expect(real.settled).toBe(model.settle(lease, reply));
        started(real.leases, model.take(step.n));
        model.ring();
        return;
      }
      case 'settleAll':
        await settleAll(step);
        return;
      case 'release': {
        const lease = pick(leases, step.pick);
        if (lease) expect(await worker(0).release(lease)).toBe(model.release(lease));
        return;
      }
      case 'renew': {
        const some = leases.slice(-step.n);
        if (some.length === 0) return;
        expect(await worker(0).renew(0, some)).toEqual(some.map((lease) => model.renew(lease)));
        return;
      }
      case 'lapse': {
        const lease = pick(leases, step.pick);
        if (!lease) return;
        await redis.del(queueKey(0, lease.tenant, `${lease.id}:lock`));
        model.lapse(lease.id);
        return;
      }
      case 'pass': {
        const call = pick(admitted, step.pick);
        if (!call || !model.calls.has(call.id)) return;
        await redis.zadd(index('deadlines'), 1, `${record(call.tenant).id}/${call.id}`);
        model.pass(call.id);
        return;
      }
      case 'sweep':
        await sweep();
        return;
      case 'cancel': {
        const call = pick(admitted, step.pick);
        if (!call) return;
        expect(await worker(1).cancel(record(call.tenant), call.id)).toBe(model.cancel(call.id));
        return;
      }
      case 'limits': {
        const { tenant } = step;
        const before = record(tenant);
        const next = step.how === 'outdated' ? before : revise(tenant, step);
        // A change that nobody announced comes with the next admission.
        if (step.how === 'missed') return;
        expect(await worker(1).setLimits(next)).toBe(model.setLimits(next));
        return;
      }
      case 'restart':
        await redis.set(index('run'), 'another');
        expect(await worker(0).hold(0)).toBeGreaterThan(0);
        model.held = true;
        return;
      case 'resume':
        await redis.del(index('hold'));
        model.held = false;
        return;
      case 'answer':
        await redis.lpop(index('bell'));
        model.rung = false;
        return;
    }
  };

  /** As if the time of every check had come. */
  const sweep = async (): Promise<void> => {
    await Promise.all([...model.busy].map((tenant) => redis.zadd(index('busy'), 0, tenant)));
    const { recovered, expired } = await worker(0).sweep(0);
    const expected = model.sweep(recovered.map(toId));
    expect(recovered.map(toId)).toEqual(expected.recovered);
    expect(expired.map(toId)).toEqual(expected.expired);
    // Running calls past their deadline are looked at again in half a second, which is not to come by itself.
    const unfinished = [...model.calls.values()].filter((call) => !call.late);
    const later = unfinished.flatMap(({ tenant, id }) => [far, `${tenant}/${id}`]);
    if (later.length > 0) await redis.zadd(index('deadlines'), 'XX', ...later);
  };

  const step = async (next: Step): Promise<void> => {
    await run(next);
    expect(await viewRedis(redis, ids)).toEqual(viewModel(model, ids));
  };

  /** Lets everything end: caps above zero, no hold, and somebody who claims and settles. */
  const drain = async (): Promise<void> => {
    await step({ do: 'resume' });
    for (const tenant of tenantIds.keys()) {
      await step({ do: 'limits', tenant, cap: 3, weight: 1, how: 'announced' });
    }
    while (model.calls.size > 0) {
      await step({ do: 'sweep' });
      await step({ do: 'claim', worker: 0, n: 20 });
      for (const lease of leases.filter((each) => model.calls.get(each.id)?.token === each.token)) {
        const reply = toReply('completed', lease.id);
        expect((await worker(0).settle(lease, reply, 0)).settled).toBe(true);
        model.settle(lease, reply);
        model.ring();
      }
    }
  };

  return { model, accepted, step, drain };
}

function at<T>(list: readonly T[], i: number): T {
  const found = list[i];
  if (found === undefined) throw new Error(`nothing at ${i}`);
  return found;
}

/** Mostly one of the last, since those are still held; sometimes an old one. */
function pick<T>(list: readonly T[], from: number): T | undefined {
  return list[list.length - 1 - (from % Math.max(1, list.length))];
}

const toId = (entry: string): InvocationId => anIdOf(entry.slice(entry.indexOf('/') + 1));
const anIdOf = (text: string) => text as InvocationId;

const brief = ({ id, attempt, begun, cancelled }: Lease) => ({ id, attempt, begun, cancelled });

function describe(
  admission: Awaited<ReturnType<ReturnType<typeof createInvocationQueue>['admit']>>,
) {
  if (admission.outcome === 'replied') return `replied ${admission.reply}`;
  if (admission.outcome !== 'refused') return admission.outcome;
  return admission.fault.code === 'idempotency_conflict' ? 'conflict' : 'backlog';
}

function toReply(
  as: 'completed' | 'faulted' | 'retryable' | 'cancelled' | 'expired',
  id: InvocationId,
): Reply {
  switch (as) {
    case 'completed':
      return { id, status: 'completed', result: '{}' };
    case 'faulted':
      return { id, status: 'faulted', fault: { code: 'tool_failed', message: 'no' } };
    case 'retryable':
      return {
        id,
        status: 'faulted',
        fault: { code: 'tool_failed', message: 'no', retryAfterMs: 9 },
      };
    case 'cancelled':
      return { id, status: 'cancelled' };
    case 'expired':
      return { id, status: 'expired', begun: false };
  }
}
