/**
 * Cancels a call of a 2025-era client, whichever ingress holds it: such a client posts
 * `notifications/cancelled` as a request of its own, which may arrive anywhere.
 */

/** Reaches every ingress of the cluster, this one included. */
export interface CancellationChannel {
  publish(key: string): Promise<unknown>;
  /** Returns the way to stop listening. */
  subscribe(listener: (key: string) => void): () => void;
}

export interface Cancellations {
  /** Calls `cancel` if the call's key is announced. Returns the way to forget the call. */
  track(key: string, cancel: () => void): () => void;
  /** Resolves once the key is announced, or its call was found here. */
  announce(key: string): Promise<void>;
  close(): void;
}

export function createCancellations(channel: CancellationChannel): Cancellations {
  const tracked = new Map<string, () => void>();
  const close = channel.subscribe((key) => tracked.get(key)?.());
  return {
    close,
    track(key, cancel) {
      tracked.set(key, cancel);
      return () => {
        if (tracked.get(key) === cancel) tracked.delete(key);
      };
    },
    async announce(key) {
      const cancel = tracked.get(key);
      if (cancel) return cancel();
      await channel.publish(key);
    },
  };
}
