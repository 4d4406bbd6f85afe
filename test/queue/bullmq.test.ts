/** Stock BullMQ, as operators and their tools bring it, on the queues of tenants. */
import { Queue, Worker, type QueueOptions } from 'bullmq';
import { afterAll, beforeEach, describe, expect, test } from 'vitest';
import { createInvocationQueue } from '../../shared/queue/invocation-queue.ts';
import { bell, indexPrefix, queueKey, queuePrefix, storedReply } from '../../shared/queue/names.ts';
import { aCall, aTenant, claimOne, done } from './calls.ts';
import { openRedis } from './redis.ts';

const redis = await openRedis();
const queue = createInvocationQueue(await redis.connect('commands'), {
  name: 'w',
  leaseMs: 60_000,
});
const address = new URL(redis.url);
const options: QueueOptions = {
  prefix: queuePrefix(0),
  connection: {
    host: address.hostname,
    port: Number(address.port),
    password: address.password,
    maxRetriesPerRequest: null,
  },
};
const closing: { close(): Promise<unknown> }[] = [];
afterAll(() => Promise.all(closing.map((each) => each.close())));
beforeEach(() => redis.clear());

const tenant = aTenant({ concurrency: 2 });
const index = (suffix: string): string => indexPrefix(0) + suffix;
const key = (suffix: string): string => queueKey(0, tenant.id, suffix);
async function admit(n: number): Promise<void> {
  for (let i = 0; i < n; i += 1) await queue.admit(aCall(tenant, { arguments: { i } }));
}
async function stockQueue(): Promise<Queue> {
  const stock = new Queue(tenant.id, options);
  closing.push(stock);
  await stock.waitUntilReady();
  return stock;
}
/** As if the time of every check had come. */
async function sweep() {
  await redis.raw.zadd(index('busy'), 'XX', 0, tenant.id);
  return queue.sweep(0);
}
const startable = async (): Promise<boolean> =>
  (await redis.raw.zscore(index('ready'), tenant.id)) !== null;

describe('a stock Queue', () => {
  test('reads what waits and what runs', async () => {
    const call = aCall(tenant, { tool: 'kv_get', arguments: { key: 'x' } });
    await queue.admit(call);
    await admit(3);
    await queue.claim(0, 2);
    const stock = await stockQueue();
    expect(await stock.getJobCounts('wait', 'active', 'completed', 'failed', 'delayed')).toEqual({
      wait: 2,
      active: 2,
      completed: 0,
      failed: 0,
      delayed: 0,
    });
    expect(await stock.getGlobalConcurrency()).toBe(2);
    expect(await stock.getWaiting()).toHaveLength(2);
    const [active] = (await stock.getActive()).filter(({ id }) => id === call.invocation.id);
    expect(active).toMatchObject({ name: 'kv_get', processedBy: 'w', attemptsStarted: 1 });
    const job = await stock.getJob(call.invocation.id);
    expect(job?.data).toEqual(call.invocation);
    expect(await job?.getState()).toBe('active');
    expect(await stock.isPaused()).toBe(false);
  });

  test('does no harm by being opened, to a tenant known or unknown', async () => {
    await stockQueue();
    await admit(1);
    await stockQueue();
    await redis.raw.hset(key('meta'), 'version', 'bullmq:6.7.0');
    await admit(1);
    expect(await queue.setLimits(aTenant({ concurrency: 1, version: 2 }))).toBe(true);
    expect((await queue.claim(0, 5)).leases).toHaveLength(1);
    expect(await redis.raw.exists(key('events'))).toBe(0);
  });

  test('pauses a tenant, which is not started and not spun on, and resumes it', async () => {
    await admit(2);
    const stock = await stockQueue();
    await stock.pause();
    expect((await queue.claim(0, 2)).leases).toEqual([]);
    expect(await startable()).toBe(false);
    await redis.raw.del(bell(0));
    await admit(1);
    expect(await redis.raw.llen(bell(0))).toBe(0);
    await stock.resume();
    await sweep();
    expect((await queue.claim(0, 2)).leases).toHaveLength(2);
  });

  test('limits a tenant’s rate without making workers spin', async () => {
    await admit(3);
    const stock = await stockQueue();
    await stock.setGlobalRateLimit(1, 60_000);
    expect((await queue.claim(0, 3)).leases).toHaveLength(1);
    expect(await startable()).toBe(false);
    await redis.raw.del(bell(0));
    expect((await queue.claim(0, 3)).leases).toEqual([]);
    expect(await redis.raw.llen(bell(0))).toBe(0);
    await stock.removeGlobalRateLimit();
    await sweep();
    expect((await queue.claim(0, 3)).leases).toHaveLength(1);
  });

  test('removes a waiting call, of which nothing is left after its deadline', async () => {
    const call = aCall(tenant);
    await queue.admit(call);
    await (await (await stockQueue()).getJob(call.invocation.id))?.remove();
    await redis.raw.zadd(index('deadlines'), 1, `${tenant.id}/${call.invocation.id}`);
    await sweep();
    expect(await redis.raw.exists(index('deadlines'), index('ready'), index('busy'))).toBe(0);
  });
});

describe('a stock Worker', () => {
  test('runs what was admitted, within the cap, and the sweep repairs the index afterwards', async () => {
    await admit(6);
    let running = 0;
    let most = 0;
    const seen: unknown[] = [];
    const { promise: all, resolve } = Promise.withResolvers<void>();
    const worker = new Worker(
      tenant.id,
      async (job) => {
        running += 1;
        most = Math.max(most, running);
        await new Promise((tick) => setTimeout(tick, 20));
        running -= 1;
        seen.push(job.data.arguments.i);
      },
      { ...options, concurrency: 6 },
    );
    closing.push(worker);
    worker.on('completed', () => seen.length === 6 && resolve());
    await all;
    await worker.close();
    expect(most).toBe(2);
    expect(new Set(seen)).toEqual(new Set([0, 1, 2, 3, 4, 5]));
    await sweep();
    expect(await startable()).toBe(false);
    expect(await redis.raw.exists(index('busy'), key('wait'), key('active'))).toBe(0);
  });

  test('that took a call leaves its caller an answer at the deadline: nobody knows', async () => {
    const call = aCall(tenant);
    await queue.admit(call);
    const worker = new Worker(tenant.id, async () => 1, options);
    closing.push(worker);
    await new Promise((resolve) => worker.once('completed', resolve));
    await worker.close();
    await redis.raw.zadd(index('deadlines'), 1, `${tenant.id}/${call.invocation.id}`);
    const entry = `${tenant.id}/${call.invocation.id}`;
    expect((await sweep()).expired).toEqual([entry]);
    expect(await redis.raw.get(storedReply(0, call.invocation.id))).toContain('"begun":true');
    expect((await sweep()).expired).toEqual([]);
    expect(await redis.raw.exists(index('deadlines'))).toBe(0);
    expect(await (await stockQueue()).getJobCountByTypes('completed')).toBe(0);
  });

  test('checks our running calls for stalls, and takes only those whose lease is gone', async () => {
    await admit(2);
    const [held, lost] = (await queue.claim(0, 2)).leases;
    if (!held || !lost) throw new Error('two leases');
    await redis.raw.del(key(`${lost.id}:lock`));
    const worker = new Worker(tenant.id, null, { ...options, stalledInterval: 50 });
    closing.push(worker);
    const stalled = new Promise((resolve) => worker.on('stalled', resolve));
    await worker.startStalledCheckTimer();
    expect(await stalled).toBe(lost.id);
    await worker.close();
    expect((await queue.settle(held, done(held), 0)).settled).toBe(true);
    await sweep();
    expect((await claimOne(queue)).id).toBe(lost.id);
  });
});
