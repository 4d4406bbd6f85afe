/** Cancels of 2025-era clients over Redis pub/sub. One that is lost costs work, not correctness. */
import type { Redis } from 'ioredis';
import type { CancellationChannel } from './cancellations.ts';

/** `channel` is the same at every ingress. Resolves once this one listens. */
export async function openCancellationChannel(
  channel: string,
  ports: { readonly commands: Redis; readonly subscriptions: Redis },
): Promise<CancellationChannel> {
  const { commands, subscriptions } = ports;
  const resubscribe = (): void => {
    // A connection that fails here comes back, and this runs again.
    subscriptions.subscribe(channel).catch(() => undefined);
  };
  await subscriptions.subscribe(channel);
  subscriptions.on('ready', resubscribe);
  return {
    publish: (key) => commands.publish(channel, key),
    subscribe(listener) {
      const onMessage = (from: string, key: string): void => {
        if (from === channel) listener(key);
      };
      subscriptions.on('message', onMessage);
      return () => subscriptions.off('message', onMessage);
    },
  };
}
