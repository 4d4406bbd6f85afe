/**
 * A bounded cache in front of a store that may be slow or away: answers are kept for a short
 * time, or for longer while somebody confirms that nothing has changed; concurrent reads of one key
 * are one read, and the last good answer outlives a failure for a while. What was invalidated is
 * never served again.
 */

export interface ReadThrough<Value> {
  /** Rejects if the store neither answers in time nor has a recent enough answer been kept. */
  get(key: string): Promise<Value | undefined>;
  /** Drops all answers that `concerns` accepts, and every "there is none". */
  forget(concerns: (key: string, value: Value) => boolean): void;
}

export interface ReadThroughOptions<Value> {
  readonly read: (key: string, signal: AbortSignal) => Promise<Value | undefined>;
  /** The most answers kept, and the most "there is none", counted apart: guesses evict no answers. */
  readonly capacity: number;
  /** How long an answer is taken as current, from when it was last known to be. */
  readonly ttlMs: number;
  /** The latest time of which it is known that what had changed before it was forgotten here. */
  readonly confirmedAt?: (() => number) | undefined;
  /** How long that is believed without reading an answer anew. */
  readonly longestMs: number;
  /** The same for "there is none". */
  readonly absentTtlMs: number;
  /** How old an answer may be if the store fails. */
  readonly staleMs: number;
  /** How long a caller waits for the store. */
  readonly timeoutMs: number;
  /** How long a failing store is left alone where an older answer will do. */
  readonly retryMs: number;
  /** Monotonic milliseconds. */
  readonly now: () => number;
}

interface Entry<Value> {
  readonly value: Value;
  readonly readAt: number;
  /** Until when a failing store is left alone. */
  readonly restUntil: number;
}

export function createReadThrough<Value>(options: ReadThroughOptions<Value>): ReadThrough<Value> {
  const { capacity, now } = options;
  const present = new Map<string, Entry<Value>>();
  const absent = new Map<string, number>();
  const pending = new Map<string, Promise<Value | undefined>>();

  function keep(key: string, value: Value | undefined, readAt: number): void {
    if (value === undefined) {
      present.delete(key);
      putNewest(absent, key, readAt + options.absentTtlMs, capacity);
      return;
    }
    absent.delete(key);
    putNewest(present, key, { value, readAt, restUntil: readAt }, capacity);
  }

  function currentAt({ readAt }: Entry<Value>): number {
    const confirmedAt = options.confirmedAt?.() ?? readAt;
    return Math.max(readAt, Math.min(confirmedAt, readAt + options.longestMs));
  }

  function fallBack(key: string, cause: unknown): Value {
    const entry = present.get(key);
    const time = now();
    if (!entry || time > currentAt(entry) + options.staleMs) throw cause;
    present.set(key, { ...entry, restUntil: time + options.retryMs });
    return entry.value;
  }

  async function load(key: string): Promise<Value | undefined> {
    const startedAt = now();
    const reading = readInTime(key, options).then(
      (value) => {
        // Otherwise something changed while this was read: good enough for who asked, not to keep.
        if (pending.get(key) === reading) keep(key, value, startedAt);
        return value;
      },
      (error: unknown) => fallBack(key, error),
    );
    pending.set(key, reading);
    try {
      return await reading;
    } finally {
      if (pending.get(key) === reading) pending.delete(key);
    }
  }

  return {
    async get(key) {
      const time = now();
      const entry = present.get(key);
      if (entry && time < Math.max(entry.restUntil, currentAt(entry) + options.ttlMs)) {
        // Nothing is dropped while there is room, so that the order does not matter yet.
        if (present.size > capacity / 2) putNewest(present, key, entry, capacity);
        return entry.value;
      }
      if (time < (absent.get(key) ?? Number.NEGATIVE_INFINITY)) return undefined;
      return pending.get(key) ?? load(key);
    },

    forget(concerns) {
      absent.clear();
      pending.clear();
      for (const [key, { value }] of present) if (concerns(key, value)) present.delete(key);
    },
  };
}

/** Moves the key to the end of the map's order and drops from its front what exceeds `capacity`. */
function putNewest<Value>(
  map: Map<string, Value>,
  key: string,
  value: Value,
  capacity: number,
): void {
  map.delete(key);
  map.set(key, value);
  for (const oldest of map.keys()) {
    if (map.size <= capacity) return;
    map.delete(oldest);
  }
}

async function readInTime<Value>(
  key: string,
  { read, timeoutMs }: ReadThroughOptions<Value>,
): Promise<Value | undefined> {
  const abort = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  // A race, since a store may ignore the signal.
  const tooLong = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(new Error(`no answer within ${timeoutMs} ms`));
      abort.abort();
    }, timeoutMs);
  });
  try {
    return await Promise.race([read(key, abort.signal), tooLong]);
  } finally {
    clearTimeout(timer);
  }
}
