/** An idle worker's claim, which waits in Redis. */
import { once } from 'node:events';
import { beforeEach, expect, test } from 'vitest';
import { createBell } from '../../shared/queue/bell.ts';
import { createInvocationQueue } from '../../shared/queue/invocation-queue.ts';
import { bell, ownBell } from '../../shared/queue/names.ts';
import { aCall, aTenant } from './calls.ts';
import { openRedis, silent } from './redis.ts';

const redis = await openRedis();
const commands = await redis.connect('commands');
beforeEach(() => redis.clear());
const acme = aTenant();
const signal = new AbortController().signal;

let workers = 0;
async function aWorker(waitMs = 60_000) {
  const name = `w${(workers += 1)}`;
  const queue = createInvocationQueue(commands, { name, leaseMs: 60_000 });
  const waiting = await redis.connect('waiting');
  const own = createBell({ shard: 0, name, waiting, queue, commands, waitMs, log: silent });
  await own.opened(signal);
  return { name, queue, waiting, bell: own };
}

/** Resolves once that many connections wait in Redis. */
async function blocked(n: number): Promise<void> {
  for (;;) {
    const info = await redis.raw.info('clients');
    if (Number(/blocked_clients:(\d+)/.exec(info)?.[1]) === n) return;
  }
}

test('it is answered with the call as soon as that is admitted, and never asked in between', async () => {
  const { queue, bell: own } = await aWorker();
  const claimed = own.claim(4);
  await blocked(1);
  await queue.admit(aCall(acme));
  expect((await claimed).leases).toHaveLength(1);
  expect(await redis.raw.exists(bell(0))).toBe(0);
});

test('of two idle workers one is woken for one call, and the other for the next', async () => {
  const [one, two] = [await aWorker(), await aWorker()];
  const both = [one.bell.claim(4), two.bell.claim(4)];
  await blocked(2);
  await one.queue.admit(aCall(acme));
  expect((await Promise.race(both)).leases).toHaveLength(1);
  await blocked(1);
  await one.queue.admit(aCall(acme));
  expect((await Promise.all(both)).map(({ leases }) => leases.length)).toEqual([1, 1]);
});

test('what one does not take wakes the next', async () => {
  const [one, two] = [await aWorker(), await aWorker()];
  const both = [one.bell.claim(2), two.bell.claim(2)];
  await blocked(2);
  await Promise.all([1, 2, 3].map(() => one.queue.admit(aCall(acme))));
  expect(
    (await Promise.all(both)).map(({ leases }) => leases.length).sort((a, b) => a - b),
  ).toEqual([1, 2]);
});

test('it looks by itself after a while, and can be woken alone', async () => {
  const { bell: impatient } = await aWorker(50);
  expect((await impatient.claim(4)).leases).toEqual([]);
  const { name, bell: own } = await aWorker();
  const claimed = own.claim(4);
  await blocked(1);
  await own.wake();
  expect((await claimed).leases).toEqual([]);
  expect(await redis.raw.exists(ownBell(0, name))).toBe(0);
});

test('a worker that has died takes no call with it', async () => {
  const [dead, alive] = [await aWorker(), await aWorker()];
  const lost = dead.bell.claim(4);
  await blocked(1);
  const ended = once(dead.waiting, 'end');
  dead.waiting.disconnect();
  await Promise.all([ended, expect(lost).rejects.toThrow(/closed|retries/)]);
  await blocked(0);
  const claimed = alive.bell.claim(4);
  await blocked(1);
  await alive.queue.admit(aCall(acme));
  expect((await claimed).leases).toHaveLength(1);
});

test('it takes nothing from a Redis that was restarted, before the hold is known', async () => {
  const { queue, waiting, bell: own } = await aWorker();
  await queue.admit(aCall(acme));
  await redis.raw.set('{mesh:0}:run', 'another');
  const closed = once(waiting, 'close');
  await redis.raw.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
  await closed;
  await own.opened(signal);
  const { heldMs, leases } = await own.claim(4);
  expect(heldMs).toBeGreaterThan(0);
  expect(leases).toEqual([]);
});
