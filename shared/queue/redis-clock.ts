/** The clock of Redis as this process sees it: its own, shifted by what Redis last told. */
export interface RedisClock {
  /** Epoch ms. */
  now(): number;
  /** Redis said `redisNow` in the answer to a command sent at `sentAt` of the own clock. */
  observe(redisNow: number, sentAt: number): void;
}

export function createRedisClock(): RedisClock {
  let shift = 0;
  return {
    now: () => Date.now() + shift,
    observe(redisNow, sentAt) {
      const receivedAt = Date.now();
      shift = redisNow - (sentAt + receivedAt) / 2;
    },
  };
}
