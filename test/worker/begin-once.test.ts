import { once } from 'node:events';
import { expect, onTestFinished, test } from 'vitest';
import { beginOnce } from '../../services/worker/begin-once.ts';
import { holdLease, instant, Stopped, type HeldLease } from '../../services/worker/held-lease.ts';
import { createInvocationQueue } from '../../shared/queue/invocation-queue.ts';
import { connectRedis } from '../../shared/queue/redis.ts';
import { aCall, aTenant, claimOne } from '../queue/calls.ts';
import { startOwnRedis, type OwnRedis } from '../queue/own-redis.ts';
import { silent } from '../queue/redis.ts';

/** Begins a call of a once-tool whose Redis goes away between the two marks. */
async function beginWhileRedisGoes(
  leaseMs: number,
  whileAway: (server: OwnRedis) => Promise<void>,
): Promise<'begun' | 'lost' | 'unknown'> {
  await using server = await startOwnRedis();
  const connection = connectRedis(server.url, 'commands', silent);
  onTestFinished(() => connection.disconnect());
  await once(connection, 'ready');
  const queue = createInvocationQueue(connection, { name: 'w', leaseMs });
  await queue.admit(aCall(aTenant(), { tool: 'events_send' }));
  const held: HeldLease = holdLease(await claimOne(queue), leaseMs, instant());
  try {
    return await beginOnce(held, {
      async mark() {
        await server.kill();
        void whileAway(server);
        return true;
      },
      begin: (lease) => queue.begin(lease),
    });
  } finally {
    held.close();
  }
}

test('a call begins although Redis was away for a moment', async () => {
  expect(await beginWhileRedisGoes(60_000, (server) => server.start())).toBe('begun');
});

test('a call does not begin once its lease has run out while Redis was away', async () => {
  await expect(beginWhileRedisGoes(1_000, async () => undefined)).rejects.toThrow(Stopped);
});
