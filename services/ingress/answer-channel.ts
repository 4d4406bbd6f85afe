/** Answers of 2025-era clients over Redis pub/sub. One that is lost ends in its question's timeout. */
import type { Redis } from 'ioredis';
import { answerChannel } from '../../shared/queue/names.ts';
import type { AnswerChannel } from './questions.ts';

/** `name` is this ingress's own. Resolves once it listens. */
export async function openAnswerChannel(
  name: string,
  ports: { readonly commands: Redis; readonly subscriptions: Redis },
): Promise<AnswerChannel> {
  const { commands, subscriptions } = ports;
  const own = answerChannel(name);
  await subscriptions.subscribe(own);
  subscriptions.on('ready', () => {
    // A connection that fails here comes back, and this runs again.
    subscriptions.subscribe(own).catch(() => undefined);
  });
  return {
    name,
    publish: (ingress, text) => commands.publish(answerChannel(ingress), text),
    subscribe(listener) {
      const onMessage = (from: string, text: string): void => {
        if (from === own) listener(text);
      };
      subscriptions.on('message', onMessage);
      return () => subscriptions.off('message', onMessage);
    },
  };
}
