/**
 * The signing keys at hand in one process: read at the start and every few minutes, and at once
 * when a session names a key that is not known yet, since another ingress may have seen a rotation
 * first. Without an answer the last keys stay; before the first answer there are none, and that
 * keeps nobody from starting.
 */
import type { SigningKey } from './signing-secret.ts';

export interface SigningKeys {
  /** Signs new sessions. Undefined as long as no key could be read. */
  current(): SigningKey | undefined;
  find(id: string): Promise<SigningKey | undefined>;
  close(): void;
}

export interface SigningKeysPorts {
  /** The current key first. */
  readonly read: () => Promise<readonly SigningKey[]>;
  /** Told once of each outage. */
  readonly onProblem: (what: string, cause: unknown) => void;
  /** Milliseconds between reads. */
  readonly refreshMs?: number;
  /** The least time between reads for unknown ids, in ms: anybody can invent one. */
  readonly cooldownMs?: number;
}

const firstRetryMs = 500;
const longestRetryMs = 30_000;

/** Starts to read; resolves after the first attempt, whatever came of it. */
export async function openSigningKeys(ports: SigningKeysPorts): Promise<SigningKeys> {
  const { refreshMs = 180_000, cooldownMs = 2_000 } = ports;
  let keys: readonly SigningKey[] = [];
  let readAt = Number.NEGATIVE_INFINITY;
  let pending: Promise<void> | undefined;
  let timer: NodeJS.Timeout | undefined;
  let failures = 0;
  let closed = false;

  async function attempt(): Promise<void> {
    readAt = performance.now();
    try {
      keys = await ports.read();
      failures = 0;
    } catch (cause) {
      failures += 1;
      if (failures === 1) ports.onProblem('The session keys cannot be read', cause);
    } finally {
      pending = undefined;
      schedule();
    }
  }

  function schedule(): void {
    clearTimeout(timer);
    if (closed) return;
    const retryMs = Math.min(firstRetryMs * 2 ** (failures - 1), longestRetryMs);
    timer = setTimeout(() => void refresh(), failures === 0 ? refreshMs : retryMs);
    timer.unref();
  }

  const refresh = (): Promise<void> => (pending ??= attempt());
  const known = (id: string): SigningKey | undefined => keys.find((key) => key.id === id);

  await refresh();
  return {
    current: () => keys[0],
    async find(id) {
      const key = known(id);
      if (key) return key;
      if (pending || performance.now() - readAt >= cooldownMs) await refresh();
      return known(id);
    },
    close() {
      closed = true;
      clearTimeout(timer);
    },
  };
}
