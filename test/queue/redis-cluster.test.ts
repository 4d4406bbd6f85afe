import { once } from 'node:events';
import { Redis } from 'ioredis';
import { expect, test } from 'vitest';
import { createInvocationQueue } from '../../shared/queue/invocation-queue.ts';
import { indexPrefix, queueKey } from '../../shared/queue/names.ts';
import { connectRedis } from '../../shared/queue/redis.ts';
import { aCall, aTenant, claimOne, done } from './calls.ts';
import { startOwnRedis } from './own-redis.ts';
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

function closing(redis: Redis): { readonly redis: Redis } & Disposable {
  return { redis, [Symbol.dispose]: () => redis.disconnect() };
}
