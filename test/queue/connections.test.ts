import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { createInvocationQueue } from '../../shared/queue/invocation-queue.ts';
import { createReplies } from '../../shared/queue/replies.ts';
import { aCall, aTenant } from './calls.ts';
import { openRedis, silent } from './redis.ts';

const redis = await openRedis();
const tenants = 1_000;
const root = join(import.meta.dirname, '../..');

/** Commands a second for so long: those that clients send, and those that scripts run. */
async function commandsPerSecond(seconds: number): Promise<{ sent: number; scripted: number }> {
  const monitor = await redis.raw.monitor();
  const count = { sent: 0, scripted: 0 };
  monitor.on('monitor', (_time: string, _args: readonly string[], source: string) => {
    count[source === 'lua' ? 'scripted' : 'sent'] += 1;
  });
  await sleep(seconds * 1_000);
  monitor.disconnect();
  return { sent: count.sent / seconds, scripted: count.scripted / seconds };
}

/** Connections by the name of their purpose. */
async function connections(): Promise<readonly string[]> {
  const list = String(await redis.raw.client('LIST'));
  return [...list.matchAll(/ name=(\S*)/g)].flatMap(([, name]) => name ?? []);
}

test('a worker serves a thousand tenants over a handful of connections, and is quiet when idle', async () => {
  const commands = await redis.connect('commands');
  const subscriptions = await redis.connect('subscriptions');
  const before = await connections();
  const worker = spawn(process.execPath, [join(root, 'services/worker/main.ts')], {
    env: {
      REDIS_URL: redis.url,
      ADMIN_PORT: '0',
      AWS_REGION: 'us-west-2',
      AWS_ACCESS_KEY_ID: 'test',
      AWS_SECRET_ACCESS_KEY: 'test',
      LOG_LEVEL: 'warn',
    },
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  try {
    await once(worker, 'message');
    const queue = createInvocationQueue(commands, { name: 'in', leaseMs: 10_000 });
    const replies = await createReplies({ name: 'in', commands, subscriptions, log: silent });
    const echo = async (i: number): Promise<void> => {
      const tenant = aTenant({ id: `t-${i}` });
      const call = aCall(tenant, {
        tool: 'diagnostics_echo',
        arguments: { text: tenant.id },
        replyTo: replies.channel,
      });
      const expectation = replies.expect(0, call.invocation.id);
      await queue.admit(call);
      const reply = await expectation.reply;
      expectation.stop();
      expect(reply).toMatchObject({ status: 'completed' });
      expect('result' in reply && reply.result).toContain(`"${tenant.id}"`);
    };
    await Promise.all(Array.from({ length: tenants }, (_, i) => echo(i)));

    const opened = (await connections()).length - before.length;
    expect(opened).toBeGreaterThan(0);
    expect(opened).toBeLessThanOrEqual(10);

    // Past the last renewals and rings of the work just done.
    await sleep(500);
    const idle = await commandsPerSecond(3);
    expect(idle.sent).toBeGreaterThan(0);
    expect(idle.sent).toBeLessThanOrEqual(10);
    expect(idle.scripted).toBeLessThanOrEqual(20);
  } finally {
    worker.kill('SIGTERM');
    await once(worker, 'exit');
  }
  expect(worker.exitCode).toBe(0);
}, 60_000);
