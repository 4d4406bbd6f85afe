import { once } from 'node:events';
import { beforeEach, describe, expect, test } from 'vitest';
import { newInvocationId } from '../../shared/ids.ts';
import { encodeReply, type Notice } from '../../shared/queue/invocation.ts';
import { createInvocationQueue } from '../../shared/queue/invocation-queue.ts';
import { storedReply } from '../../shared/queue/names.ts';
import { connectRedis } from '../../shared/queue/redis.ts';
import { createReplies } from '../../shared/queue/replies.ts';
import { aCall, aTenant, claimOne, done } from './calls.ts';
import { startOwnRedis } from './own-redis.ts';
import { openRedis, silent } from './redis.ts';

const redis = await openRedis();
const commands = await redis.connect('commands');
const queue = createInvocationQueue(commands, { name: 'w', leaseMs: 60_000 });
beforeEach(() => redis.clear());

async function listen() {
  const subscriptions = await redis.connect('subscriptions');
  const replies = await createReplies({ name: 'in', commands, subscriptions, log: silent });
  return { replies, subscriptions };
}

describe('waiting for a reply', () => {
  test('ends with the reply, which only those hear who wait for that call', async () => {
    const { replies } = await listen();
    const call = aCall(aTenant(), { replyTo: replies.channel });
    const { id } = call.invocation;
    const waiting = replies.expect(0, id);
    const another = replies.expect(0, newInvocationId());
    await queue.admit(call);
    const lease = await claimOne(queue);
    await queue.settle(lease, done(lease, '{"x":"\\n"}'), 0);
    expect(await waiting.reply).toMatchObject({ id, status: 'completed', result: '{"x":"\\n"}' });
    expect(await Promise.race([another.reply, Promise.resolve('nothing')])).toBe('nothing');
    expect(await waiting.read()).toMatchObject({ id, status: 'completed' });
    expect(await another.read()).toBeUndefined();
  });

  test('ends with a reply that was published while the subscription was cut', async () => {
    const { replies, subscriptions } = await listen();
    const call = aCall(aTenant(), { replyTo: replies.channel });
    const waiting = replies.expect(0, call.invocation.id);
    await queue.admit(call);
    const lease = await claimOne(queue);
    const cut = once(subscriptions, 'close');
    await redis.raw.call('CLIENT', 'KILL', 'TYPE', 'pubsub');
    // In one go with the cut, before the connection can be back.
    await queue.settle(lease, done(lease), 0);
    await cut;
    expect(await waiting.reply).toMatchObject({ id: lease.id, status: 'completed' });
  });

  test('hears progress on the way, and nothing after it has stopped', async () => {
    const { replies } = await listen();
    const id = newInvocationId();
    const heard: Notice[] = [];
    const waiting = replies.expect(0, id, (progress) => heard.push(progress));
    const say = (progress: number) =>
      redis.raw.publish(
        replies.channel,
        encodeReply({ id, status: 'progress', progress, total: 2, message: 'half way' }, 1),
      );
    await say(1);
    await say(2);
    await redis.raw.publish(replies.channel, encodeReply(done({ id }), 1));
    await waiting.reply;
    expect(heard).toMatchObject([{ progress: 1, message: 'half way' }, { progress: 2 }]);

    waiting.stop();
    const next = newInvocationId();
    const later = replies.expect(0, next);
    await say(3);
    await redis.raw.publish(replies.channel, encodeReply(done({ id: next }), 1));
    await later.reply;
    expect(heard).toHaveLength(2);
  });

  test('drops what it cannot read, and hears the next', async () => {
    const { replies } = await listen();
    const id = newInvocationId();
    const waiting = replies.expect(0, id);
    const strange = ['', 'no json\n', `{"v":2,"id":"${id}","status":"completed"}\n{}`, '{"v":1}\n'];
    for (const text of strange) await redis.raw.publish(replies.channel, text);
    await redis.raw.publish(replies.channel, encodeReply(done({ id }), 1));
    expect(await waiting.reply).toMatchObject({ id, status: 'completed' });
  });

  test('reads a stored reply it can read past one that it cannot', async () => {
    const { replies, subscriptions } = await listen();
    const [damaged, sound] = [newInvocationId(), newInvocationId()];
    replies.expect(0, damaged);
    const waiting = replies.expect(0, sound);
    await redis.raw.set(storedReply(0, damaged), 'token \nnonsense');
    await redis.raw.set(storedReply(0, sound), `token \n${encodeReply(done({ id: sound }), 1)}`);
    subscriptions.disconnect(true);
    expect(await waiting.reply).toMatchObject({ id: sound, status: 'completed' });
  });

  test('outlasts a restart of Redis, whichever connection is back first', async () => {
    await using server = await startOwnRedis();
    const own = connectRedis(server.url, 'commands', silent);
    const subscriptions = connectRedis(server.url, 'subscriptions', silent);
    await Promise.all([once(own, 'ready'), once(subscriptions, 'ready')]);
    const replies = await createReplies({ name: 'in', commands: own, subscriptions, log: silent });
    const id = newInvocationId();
    const waiting = replies.expect(0, id);
    await own.set(storedReply(0, id), `token \n${encodeReply(done({ id }), 1)}`);
    await server.kill();
    await server.start();
    expect(await waiting.reply).toMatchObject({ id, status: 'completed' });
    own.disconnect();
    subscriptions.disconnect();
  });
});
