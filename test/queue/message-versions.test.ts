import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { createAgreedVersion } from '../../shared/queue/agreed-version.ts';
import { createInvocationQueue } from '../../shared/queue/invocation-queue.ts';
import { decodeInvocation, encodeInvocation } from '../../shared/queue/invocation.ts';
import { readLeaseRecord } from '../../shared/queue/lease-record.ts';
import {
  ForeignVersion,
  newestVersion,
  oldestVersion,
} from '../../shared/queue/message-versions.ts';
import { indexPrefix, queueKey, storedReply, versionsChannel } from '../../shared/queue/names.ts';
import { runScript } from '../../shared/queue/scripts/run-script.ts';
import { aCall, aTenant, anId, claimOne } from './calls.ts';
import { openRedis } from './redis.ts';

const redis = await openRedis();
const commands = await redis.connect('commands');
const queue = createInvocationQueue(commands, { name: 'w', leaseMs: 60_000 });
const acme = aTenant();
beforeEach(() => redis.clear());

/** As a process of a build announces itself that reads up to `version`; an ingress has no slots. */
const announce = (name: string, version: number, slots: number, forMs = 60_000) =>
  runScript(commands, 'announce', indexPrefix(0), [name, slots, version, forMs, versionsChannel]);

/** Admits a call whose message only a newer build reads. */
async function admitForeign(name: string, timeoutMs = 60_000): Promise<string> {
  const id = anId(name);
  await queue.admit(aCall(acme, { id, tool: 'diagnostics_echo', timeoutMs }));
  const data = JSON.stringify({ v: newestVersion + 1, id, called: 'diagnostics_echo' });
  await redis.raw.hset(queueKey(0, acme.id, id), 'data', data);
  return id;
}

describe('a message', () => {
  test('is read as it was written, in every version that this build writes', () => {
    const { invocation } = aCall(acme, { arguments: { text: 'ä' } });
    for (let v = oldestVersion; v <= newestVersion; v += 1) {
      expect(decodeInvocation(encodeInvocation({ ...invocation, v }))).toEqual({
        ...invocation,
        v,
      });
    }
  });

  test('of a version that this build does not know is told from a damaged one', () => {
    const { invocation } = aCall(acme);
    expect(() => decodeInvocation(`{"v":${newestVersion + 1}}`)).toThrow(ForeignVersion);
    expect(() => encodeInvocation({ ...invocation, v: newestVersion + 1 })).toThrow(ForeignVersion);
    for (const damaged of ['', '{', 'null', '{}', '{"v":"1"}', '{"v":1}']) {
      expect(() => decodeInvocation(damaged)).not.toThrow(ForeignVersion);
      expect(() => decodeInvocation(damaged)).toThrow(Error);
    }
  });
});

describe('what all read', () => {
  test('is the least of what live workers and ingresses read', async () => {
    expect(await announce('g-new', 3, 0)).toBe(0);
    expect(await announce('w-new', 3, 8)).toBe(3);
    expect(await announce('g-old', 1, 0)).toBe(1);
    expect(await announce('g-old', 1, 0, 0)).toBe(3);
    expect(await announce('w-old', 2, 8)).toBe(2);
    expect(await announce('w-old', 2, 8, 0)).toBe(3);
    expect(await announce('w-new', 3, 8, 0)).toBe(0);
  });

  test('does not wait for a process that has died', async () => {
    await announce('w-dead', 1, 8, 20);
    await expect.poll(() => announce('w-new', 2, 8)).toBe(2);
  });

  test('is told to whoever writes, whenever a process comes, leaves or is found dead', async () => {
    const subscriptions = await redis.connect('subscriptions');
    const heard: string[] = [];
    subscriptions.on('message', (_channel: string, text: string) => heard.push(text));
    await subscriptions.subscribe(versionsChannel);
    await announce('w-new', 2, 8);
    await announce('w-new', 2, 8);
    await announce('w-old', 1, 8, 20);
    await expect.poll(() => announce('w-new', 2, 8)).toBe(2);
    await announce('w-new', 2, 8, 0);
    await expect.poll(() => heard).toEqual(['2', '1', '2', '0']);
  });

  test('is the oldest that an ingress writes while no worker lives, and never beyond what it knows', async () => {
    const subscriptions = await redis.connect('subscriptions');
    const agreed = createAgreedVersion(queue, 60_000, () => undefined);
    await agreed.announce();
    await agreed.keep(subscriptions);
    expect(agreed.current()).toBe(oldestVersion);
    await agreed.close();
    await announce('w-newer', newestVersion + 5, 8);
    expect(agreed.current()).toBe(newestVersion);
  });
});

describe('a message for a newer build', () => {
  test('goes back behind the others, and no attempt is counted', async () => {
    const foreign = await admitForeign('newer');
    const { invocation } = aCall(acme);
    await queue.admit(aCall(acme, { id: invocation.id }));
    const lease = await claimOne(queue);
    expect(lease).toMatchObject({ id: foreign, foreign: true, invocation: undefined, attempt: 1 });
    expect(await queue.release(lease)).toBe(true);
    expect(await claimOne(queue)).toMatchObject({ id: invocation.id, foreign: false });
    expect(await claimOne(queue)).toMatchObject({ id: foreign, attempt: 1 });
  });

  test('is handed back by a worker that cannot read it, which neither spins nor neglects the rest', async () => {
    // Before the worker is there, which would be faster than the test.
    const foreign = await Promise.all(
      [1, 2, 3, 4, 5, 6].map((i) => admitForeign(`newer-${i}`, 6_000)),
    );
    const worker = spawn(
      process.execPath,
      [join(import.meta.dirname, '../../services/worker/main.ts')],
      {
        env: {
          REDIS_URL: redis.url,
          ADMIN_PORT: '0',
          WORKER_SLOTS: '4',
          AWS_REGION: 'us-west-2',
          AWS_ACCESS_KEY_ID: 'test',
          AWS_SECRET_ACCESS_KEY: 'test',
          LOG_LEVEL: 'warn',
        },
        stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      },
    );
    try {
      await once(worker, 'message');
      const reads = aCall(acme, { tool: 'diagnostics_echo', arguments: { text: 'x' } });
      await queue.admit(reads);
      const reply = (id: string) => redis.raw.get(storedReply(0, anId(id.slice(2))));
      await expect
        .poll(() => redis.raw.get(storedReply(0, reads.invocation.id)), { timeout: 3_000 })
        .toContain('"completed"');
      for (const id of foreign) {
        await expect.poll(() => reply(id), { timeout: 10_000 }).toContain('"expired"');
      }
      const record = await readLeaseRecord(redis.raw, 1);
      const grants = record.filter(({ kind }) => kind === 'granted').length;
      // Four slots, twice a second.
      expect(grants).toBeGreaterThan(6);
      expect(grants).toBeLessThanOrEqual(60);
    } finally {
      worker.kill('SIGTERM');
      await once(worker, 'exit');
    }
    expect(worker.exitCode).toBe(0);
  }, 30_000);
});
