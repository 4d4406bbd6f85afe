/**
 * Waiting for replies: heard on this process's channel, or read from the stored ones after the
 * subscription was away. Correlates by invocation id, never by a client's request id.
 */
import type { Redis } from 'ioredis';
import type { InvocationId } from '../ids.ts';
import type { Log } from '../telemetry/log.ts';
import { decodeReply, type Notice, type Reply } from './invocation.ts';
import { replyChannel, storedReply } from './names.ts';

export interface Replies {
  /** Where this process hears. */
  readonly channel: string;
  /**
   * Starts listening for one call, before it is admitted.
   * `reply` never rejects; it stays pending until the reply comes or `stop` is called.
   */
  expect(shard: number, id: InvocationId, onNotice?: (notice: Notice) => void): Expectation;
}

export interface Expectation {
  readonly reply: Promise<Reply>;
  /** Looks for a stored reply now. Resolves with undefined if there is none. */
  read(): Promise<Reply | undefined>;
  stop(): void;
}

interface Waiter {
  readonly shard: number;
  readonly id: InvocationId;
  readonly resolve: (reply: Reply) => void;
  readonly onNotice: ((notice: Notice) => void) | undefined;
}

/** Between attempts while a cluster looks for a node to listen on. */
const listenAgainMs = 100;

/** `name` is unique per process. `commands` reads stored replies, `subscriptions` listens. */
export async function createReplies(ports: {
  readonly name: string;
  readonly commands: Redis;
  readonly subscriptions: Redis;
  readonly log: Log;
}): Promise<Replies> {
  const { commands, subscriptions, log } = ports;
  const channel = replyChannel(ports.name);
  const waiters = new Map<InvocationId, Set<Waiter>>();

  const deliver = (text: string): void => {
    let message: Reply | Notice;
    try {
      message = decodeReply(text);
    } catch (error) {
      log.error({ err: error }, 'A reply of an unknown form was dropped');
      return;
    }
    for (const waiter of waiters.get(message.id) ?? []) {
      if (isNotice(message)) waiter.onNotice?.(message);
      else waiter.resolve(message);
    }
  };

  const read = async (shard: number, id: InvocationId): Promise<Reply | undefined> => {
    const stored = await commands.get(storedReply(shard, id));
    if (stored === null) return undefined;
    const reply = decodeReply(stored.slice(stored.indexOf('\n') + 1));
    return isNotice(reply) ? undefined : reply;
  };

  /** Reads what was said while nobody listened. One that cannot be read does not cost the others theirs. */
  const catchUp = (): void => {
    for (const { shard, id, resolve } of [...waiters.values()].flatMap((set) => [...set])) {
      read(shard, id).then(
        (reply) => reply && resolve(reply),
        (error: unknown) => log.warn({ err: error, id }, 'A stored reply could not be read'),
      );
    }
  };

  subscriptions.on('message', (from: string, text: string) => {
    if (from === channel) deliver(text);
  });
  await subscriptions.subscribe(channel);
  const listenAgain = (): void => {
    subscriptions.subscribe(channel).then(catchUp, (error: unknown) => {
      log.warn({ err: error }, 'Not listening for replies yet');
      if (subscriptions.status === 'ready') listenLater();
    });
  };
  let later: NodeJS.Timeout | undefined;
  const listenLater = (): void => {
    later ??= setTimeout(() => {
      later = undefined;
      listenAgain();
    }, listenAgainMs).unref();
  };
  // After a restart of Redis either connection may be back first; the later one finds everything.
  subscriptions.on('ready', listenAgain);
  // A cluster that lost a node moves the subscription to another one, and does not say when.
  for (const each of [commands, subscriptions]) each.on('-node', listenLater);
  commands.on('ready', catchUp);

  return {
    channel,
    expect(shard, id, onNotice) {
      const { promise, resolve } = Promise.withResolvers<Reply>();
      const waiter: Waiter = { shard, id, resolve, onNotice };
      const set = waiters.get(id) ?? new Set();
      waiters.set(id, set.add(waiter));
      return {
        reply: promise,
        read: () => read(shard, id),
        stop() {
          set.delete(waiter);
          if (set.size === 0) waiters.delete(id);
        },
      };
    },
  };
}

export const isNotice = (message: Reply | Notice): message is Notice =>
  message.status === 'progress' || message.status === 'log';
