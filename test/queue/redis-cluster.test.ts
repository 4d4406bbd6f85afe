import { once } from 'node:events';
import { Redis } from 'ioredis';
import { describe, expect, test } from 'vitest';
import { createInvocationQueue } from '../../shared/queue/invocation-queue.ts';
import { readLeaseRecord } from '../../shared/queue/lease-record.ts';
import { bell, indexPrefix, queueKey } from '../../shared/queue/names.ts';
import { connectRedis, mastersOf } from '../../shared/queue/redis.ts';
import { createReplies } from '../../shared/queue/replies.ts';
import { aCall, aTenant, claimOne, done } from './calls.ts';
import { startOwnRedis } from './own-redis.ts';
import { shards, startRedisCluster } from './redis-nodes.ts';
import { silent } from './redis.ts';

test('every transition runs under the rules of Redis Cluster, on keys of one slot', async () => {
  await using server = await startOwnRedis('--cluster-enabled', 'yes');
  using raw = closing(new Redis(server.url));
  await raw.redis.call('CLUSTER', 'ADDSLOTSRANGE', '0', '16383');
  while (!(await raw.redis.cluster('INFO')).includes('cluster_state:ok')) {
    await once(raw.redis, 'ready', { signal: AbortSignal.timeout(50) }).catch(() => undefined);
  }
  const seen = new Set<string>();
  using monitor = closing(await raw.redis.monitor());
  monitor.redis.on('monitor', (_: string, args: readonly string[]) => {
    for (const arg of args) if (/^\{[^}]*\}:[^{]*$/.test(arg)) seen.add(arg);
  });
  using connection = closing(connectRedis(server.url, 'commands', silent));
  await once(connection.redis, 'ready');
  const queue = createInvocationQueue(connection.redis, { name: 'w', leaseMs: 60_000 });

  const tenant = aTenant({ concurrency: 2 });
  await queue.hold(0);
  for (let i = 0; i < 4; i += 1) await queue.admit(aCall(tenant));
  const one = await claimOne(queue);
  await queue.begin(one);
  await queue.renew(0, [one]);
  const [two] = (await queue.settle(one, done(one), 1)).leases;
  if (two) await queue.release(two);
  await queue.setLimits(aTenant({ version: 2 }));
  const { invocation } = aCall(tenant);
  await queue.admit({ ...aCall(tenant), invocation });
  expect(await queue.cancel(tenant, invocation.id)).toBe('removed');
  const lost = await claimOne(queue);
  await raw.redis.del(queueKey(0, tenant.id, `${lost.id}:lock`));
  await raw.redis.zadd(`${indexPrefix(0)}busy`, 0, tenant.id);
  expect((await queue.sweep(0)).recovered).toHaveLength(1);

  for (const key of await raw.redis.keys('*')) seen.add(key);
  const slots = await Promise.all([...seen].map((key) => raw.redis.cluster('KEYSLOT', key)));
  expect(seen.size).toBeGreaterThan(15);
  expect(new Set(slots).size).toBe(1);
}, 30_000);

describe('eight shards on a cluster of three nodes', () => {
  test('every shard is served on its own node, through one connection', async () => {
    await using cluster = await startRedisCluster();
    using connection = closing(connectRedis(cluster.url, 'commands', silent));
    using subscriptions = closing(connectRedis(cluster.url, 'subscriptions', silent));
    using waiting = closing(connectRedis(cluster.url, 'waiting', silent));
    await Promise.all([connection, waiting].map(({ redis }) => once(redis, 'ready')));
    const queue = createInvocationQueue(connection.redis, { name: 'w', leaseMs: 60_000 });
    const replies = await createReplies({
      name: 'in',
      commands: connection.redis,
      subscriptions: subscriptions.redis,
      log: silent,
    });

    for (let shard = 0; shard < shards; shard += 1) {
      expect(await queue.hold(shard)).toBe(0);
      const tenant = { ...aTenant({ id: `t-${shard}`, concurrency: 1 }), shard };
      const call = aCall(tenant, { replyTo: replies.channel });
      const heard = replies.expect(shard, call.invocation.id);
      const rung = waiting.redis.blpop(bell(shard), 5);
      expect(await queue.admit(call)).toMatchObject({ outcome: 'queued' });
      expect(await rung).toEqual([bell(shard), '1']);
      const [lease] = (await queue.claim(shard, 1)).leases;
      if (!lease) throw new Error('nothing to claim');
      expect(await queue.renew(shard, [lease])).toEqual(['held']);
      expect((await queue.settle(lease, done(lease), 1)).settled).toBe(true);
      expect(await heard.reply).toMatchObject({ status: 'completed' });
      expect((await queue.sweep(shard)).recovered).toEqual([]);
    }
    const sizes = await Promise.all(mastersOf(connection.redis).map((node) => node.dbsize()));
    expect(sizes).toHaveLength(3);
    expect(Math.min(...sizes)).toBeGreaterThan(0);
    const record = await readLeaseRecord(connection.redis, shards);
    expect(record.filter(({ kind }) => kind === 'granted')).toHaveLength(shards);
  }, 60_000);
});

function closing(redis: Redis): { readonly redis: Redis } & Disposable {
  return { redis, [Symbol.dispose]: () => redis.disconnect() };
}
