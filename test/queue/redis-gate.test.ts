import { once } from 'node:events';
import type { Redis } from 'ioredis';
import { describe, expect, test } from 'vitest';
import { createInvocationQueue } from '../../shared/queue/invocation-queue.ts';
import { connectRedis, createGate } from '../../shared/queue/redis.ts';
import { aCall, aTenant } from './calls.ts';
import { startOwnRedis } from './own-redis.ts';
import { openRedis, silent } from './redis.ts';

const redis = await openRedis();

describe('the gate', () => {
  test('is shut until the check has passed, and while it runs', async () => {
    const connection = await redis.connect('commands');
    const { promise: checked, resolve: pass } = Promise.withResolvers<void>();
    const gate = createGate(connection, () => checked, silent);
    expect(gate.isOpen).toBe(false);
    const opened = gate.opened();
    pass();
    await opened;
    expect(gate.isOpen).toBe(true);
    await gate.opened();
  });

  test('shuts with the connection, and opens after a check on the new one', async () => {
    const connection = await redis.connect('commands');
    let checks = 0;
    const gate = createGate(connection, async () => void (checks += 1), silent);
    await gate.opened();
    await cut(connection);
    expect(gate.isOpen).toBe(false);
    await gate.opened();
    expect(checks).toBe(2);
  });

  test('stays shut after a failed check, and tries again on a new connection', async () => {
    const connection = await redis.connect('commands');
    const answers = [Promise.reject(new Error('not yet')), Promise.resolve()];
    answers[0]?.catch(() => undefined);
    let checks = 0;
    const gate = createGate(
      connection,
      () => answers[(checks += 1) - 1] ?? Promise.resolve(),
      silent,
    );
    await gate.opened();
    expect(checks).toBe(2);
  });

  test('lets go of those who stop waiting', async () => {
    const connection = await redis.connect('commands');
    const gate = createGate(connection, () => new Promise(() => undefined), silent);
    const leaving = new AbortController();
    const opened = gate.opened(leaving.signal);
    leaving.abort(new Error('enough'));
    await expect(opened).rejects.toThrow('enough');
    await expect(gate.opened(leaving.signal)).rejects.toThrow('enough');
  });
});

describe('a connection', () => {
  test('fails at once while Redis is away, and runs nothing later that has failed before', async () => {
    await using server = await startOwnRedis();
    const connection = connectRedis(server.url, 'admission', silent);
    await once(connection, 'ready');
    const queue = createInvocationQueue(connection, { name: 'in', leaseMs: 60_000 });
    const gate = createGate(connection, () => queue.hold(0), silent);
    await gate.opened();

    const lost = closed(connection);
    await server.kill();
    await lost;
    const asked = performance.now();
    await expect(queue.admit(aCall(aTenant()))).rejects.toThrow(/isn't writeable/);
    expect(performance.now() - asked).toBeLessThan(200);
    expect(gate.isOpen).toBe(false);

    await server.start();
    await gate.opened();
    expect((await queue.claim(0, 1)).leases).toEqual([]);
    connection.disconnect();
  });

  test('gives up on a Redis that has stopped answering within a second, and the call is not accepted later', async () => {
    await using server = await startOwnRedis();
    const connection = connectRedis(server.url, 'admission', silent);
    await once(connection, 'ready');
    const queue = createInvocationQueue(connection, { name: 'in', leaseMs: 60_000 });
    const gate = createGate(connection, () => queue.hold(0), silent);
    await gate.opened();
    server.signal('SIGSTOP');
    const asked = performance.now();
    const admission = queue.admit(aCall(aTenant(), { admitBy: Date.now() + 700 }));
    await expect(admission).rejects.toThrow('Command timed out');
    expect(performance.now() - asked).toBeLessThan(1_000);
    // Silence for longer means that the connection is dead, whatever the kernel says.
    await closed(connection);
    expect(gate.isOpen).toBe(false);
    server.signal('SIGCONT');
    await gate.opened();
    expect((await queue.claim(0, 1)).leases).toEqual([]);
    connection.disconnect();
  });

  test('claims nothing for a lease after Redis was restarted, and then everything that was accepted', async () => {
    await using server = await startOwnRedis();
    const connection = connectRedis(server.url, 'commands', silent);
    await once(connection, 'ready');
    const leaseMs = 600;
    const queue = createInvocationQueue(connection, { name: 'w', leaseMs });
    const gate = createGate(connection, () => queue.hold(0), silent);
    await gate.opened();
    const tenant = aTenant({ concurrency: 2 });
    for (let i = 0; i < 4; i += 1) await queue.admit(aCall(tenant));
    const before = await queue.claim(0, 4);
    expect(before).toMatchObject({ heldMs: 0 });

    const lost = closed(connection);
    await server.kill();
    await lost;
    await server.start();
    await gate.opened();
    const held = await queue.claim(0, 4);
    expect(held.leases).toEqual([]);
    expect(held.heldMs).toBeGreaterThan(0);
    await new Promise((resolve) => setTimeout(resolve, held.heldMs + 20));
    await queue.sweep(0);
    const after = await queue.claim(0, 4);
    expect(after.leases.map(({ id }) => id).sort()).toEqual(
      before.leases.map(({ id }) => id).sort(),
    );
    expect(after.leases.every(({ attempt }) => attempt === 2)).toBe(true);
    connection.disconnect();
  });
});

/** Not `once` of node:events, which rejects with the error that a lost connection may tell first. */
function closed(connection: Redis): Promise<void> {
  return new Promise((resolve) => connection.once('close', () => resolve()));
}

async function cut(connection: Redis): Promise<void> {
  const lost = closed(connection);
  await redis.raw.call('CLIENT', 'KILL', 'TYPE', 'normal');
  await lost;
}
