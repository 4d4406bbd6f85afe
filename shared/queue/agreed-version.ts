/**
 * Which version of messages an ingress writes: the highest that every live worker and ingress reads.
 * Without a live worker it is the oldest that this build writes, since the next one to start
 * may be of an older build.
 */
import type { Redis } from 'ioredis';
import type { InvocationQueue } from './invocation-queue.ts';
import { newestVersion, oldestVersion } from './message-versions.ts';
import { versionsChannel } from './names.ts';

export interface AgreedVersion {
  current(): number;
  /** Says that this process lives and what it reads, and hears what the others read. */
  announce(): Promise<void>;
  /** Hears of every change at once, and announces often enough to be believed. */
  keep(subscriptions: Redis): Promise<void>;
  /** Says that this process leaves. */
  close(): Promise<void>;
}

/** @param forMs how long an announcement is believed */
export function createAgreedVersion(
  queue: Pick<InvocationQueue, 'announce'>,
  forMs: number,
  onProblem: (what: string, cause: unknown) => void,
): AgreedVersion {
  let agreed = oldestVersion;
  let timer: NodeJS.Timeout | undefined;
  const hear = (version: number): void => {
    agreed = Math.min(newestVersion, Math.max(oldestVersion, version));
  };
  const announce = async (): Promise<void> => hear(await queue.announce(0, forMs));

  return {
    current: () => agreed,
    announce,
    async keep(subscriptions) {
      subscriptions.on('message', (channel: string, text: string) => {
        if (channel === versionsChannel) hear(Number(text));
      });
      await subscriptions.subscribe(versionsChannel);
      timer = setInterval(() => {
        announce().catch((cause: unknown) => onProblem('not announced', cause));
      }, forMs / 3);
    },
    async close() {
      clearInterval(timer);
      await queue.announce(0, 0);
    },
  };
}
