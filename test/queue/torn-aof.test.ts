import { once } from 'node:events';
import { readdir, stat, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { expect, test } from 'vitest';
import { createInvocationQueue } from '../../shared/queue/invocation-queue.ts';
import { queueKey } from '../../shared/queue/names.ts';
import { connectRedis, createGate } from '../../shared/queue/redis.ts';
import { aCall, anId, aTenant } from './calls.ts';
import { startOwnRedis, type OwnRedis } from './own-redis.ts';
import { silent } from './redis.ts';

const tenant = aTenant();

/** Tears the last command of the last transaction, its EXEC. */
async function tearTail({ folder }: OwnRedis): Promise<void> {
  const files = join(folder, 'appendonlydir');
  const last = (await readdir(files)).find((file) => file.endsWith('.incr.aof')) ?? '';
  const { size } = await stat(join(files, last));
  await truncate(join(files, last), size - 5);
}

test('half a transition, torn by a power failure, does not come back with a later restart', async () => {
  await using server = await startOwnRedis();
  const connection = connectRedis(server.url, 'commands', silent);
  const ask = new Redis(server.url);
  ask.on('error', () => undefined);
  await once(connection, 'ready');
  const queue = createInvocationQueue(connection, { name: 'w', leaseMs: 60_000 });
  const gate = createGate(connection, () => queue.hold(0), silent);
  const waiting = () => ask.lrange(queueKey(0, tenant.id, 'wait'), 0, -1);
  const restart = async (between: () => Promise<void>): Promise<void> => {
    const lost = once(connection, 'close');
    await server.kill();
    await lost;
    await between();
    await server.start();
    await gate.opened();
  };

  await gate.opened();
  await queue.admit(aCall(tenant, { id: anId('before') }));
  await queue.admit(aCall(tenant, { id: anId('torn') }));
  await restart(() => tearTail(server));
  expect(await waiting()).toEqual([anId('before')]);

  await expect.poll(() => ask.info('persistence')).toMatch(/^aof_rewrite_in_progress:0/m);
  await queue.admit(aCall(tenant, { id: anId('after') }));
  await restart(async () => undefined);
  expect(await waiting()).toEqual([anId('after'), anId('before')]);
  connection.disconnect();
  ask.disconnect();
});
