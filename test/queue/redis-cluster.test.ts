import { once } from 'node:events';
import { Redis } from 'ioredis';
import { describe, expect, test } from 'vitest';
import {
  createInvocationQueue,
  type InvocationQueue,
} from '../../shared/queue/invocation-queue.ts';
import type { Lease } from '../../shared/queue/lease.ts';
import { readLeaseRecord } from '../../shared/queue/lease-record.ts';
import { bell, indexPrefix, queueKey } from '../../shared/queue/names.ts';
import { connectRedis, createGate, mastersOf } from '../../shared/queue/redis.ts';
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

describe('a node of a cluster that is restarted', () => {
  test('shuts the gate until nothing can be claimed on it for a lease', async () => {
    await using cluster = await startRedisCluster();
    using connection = closing(connectRedis(cluster.url, 'commands', silent));
    await once(connection.redis, 'ready');
    const leaseMs = 60_000;
    const queue = createInvocationQueue(connection.redis, { name: 'w', leaseMs });
    const hold = () => Promise.all(everyShard.map((shard) => queue.hold(shard)));
    const gate = createGate(connection.redis, hold, silent);
    await gate.opened();
    expect(await hold()).toEqual(everyShard.map(() => 0));

    const lost = new Promise((resolve) => connection.redis.once('-node', resolve));
    await cluster.nodes[2]?.kill();
    await lost;
    expect(gate.isOpen).toBe(false);
    await cluster.nodes[2]?.start();
    await gate.opened();
    const claims = await Promise.all(everyShard.map((shard) => queue.claim(shard, 1)));
    const held = claims.filter(({ heldMs }) => heldMs > 0);
    expect(held.length).toBeGreaterThan(0);
    expect(held.length).toBeLessThan(shards);
  }, 30_000);

  test('costs no reply that the others published meanwhile', async () => {
    await using cluster = await startRedisCluster();
    using connection = closing(connectRedis(cluster.url, 'commands', silent));
    using subscriptions = closing(connectRedis(cluster.url, 'subscriptions', silent));
    await once(connection.redis, 'ready');
    const queue = createInvocationQueue(connection.redis, { name: 'w', leaseMs: 60_000 });
    const gate = createGate(connection.redis, () => pingAll(queue), silent);
    const replies = await createReplies({
      name: 'in',
      commands: connection.redis,
      subscriptions: subscriptions.redis,
      log: silent,
    });
    for (const [i, node] of cluster.nodes.entries()) {
      await gate.opened();
      const calls = everyShard.map((shard) => {
        const tenant = { ...aTenant({ id: `t-${shard}-${i}` }), shard };
        return aCall(tenant, { replyTo: replies.channel });
      });
      const heard = calls.map(({ tenant, invocation }) =>
        replies.expect(tenant.shard, invocation.id),
      );
      for (const call of calls) await queue.admit(call);
      const claims = await Promise.all(everyShard.map((shard) => queue.claim(shard, 1)));
      await node.kill();
      const settled = await settleSome(
        queue,
        claims.flatMap(({ leases }) => leases),
      );
      expect(settled.length).toBeGreaterThan(0);
      const ends = await Promise.all(settled.flatMap(({ shard }) => heard[shard]?.reply ?? []));
      expect(ends.map(({ status }) => status)).toEqual(ends.map(() => 'completed'));
      await node.start();
    }
  }, 60_000);
});

const everyShard = Array.from({ length: shards }, (_, shard) => shard);

/** Resolves with those on nodes that are there, which may take the connection some attempts. */
async function settleSome(queue: InvocationQueue, leases: readonly Lease[]): Promise<Lease[]> {
  const settled: Lease[] = [];
  for (let attempt = 0; attempt < 20 && settled.length === 0; attempt += 1) {
    const answers = await Promise.allSettled(
      leases.map((lease) => queue.settle(lease, done(lease), 0)),
    );
    settled.push(...leases.filter((_, i) => answers[i]?.status === 'fulfilled'));
  }
  return settled;
}

const pingAll = (queue: InvocationQueue): Promise<unknown> =>
  Promise.all(everyShard.map((shard) => queue.claim(shard, 0)));

function closing(redis: Redis): { readonly redis: Redis } & Disposable {
  return { redis, [Symbol.dispose]: () => redis.disconnect() };
}
