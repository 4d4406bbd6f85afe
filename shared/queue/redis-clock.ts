/** The clock of Redis as this process sees it: its own, shifted by what Redis last told. */
export interface RedisClock {
  /** Epoch ms. */
  now(): number;
  /** Redis said `redisNow` in the answer, which came just now, to a command sent at `sentAt` of the own clock. */
  observe(redisNow: number, sentAt: number): void;
}

/**
 * Redis spoke somewhere between sending and receiving, which a busy event loop can pull far apart:
 * the shift moves no further than that interval asks for.
 */
export function createRedisClock(): RedisClock {
  let shift = 0;
  return {
    now: () => Date.now() + shift,
    observe(redisNow, sentAt) {
      const least = redisNow - Date.now();
      const most = redisNow - sentAt;
      shift = Math.min(Math.max(shift, least), most);
    },
  };
}
