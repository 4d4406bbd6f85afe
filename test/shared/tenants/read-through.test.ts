import { describe, expect, test } from 'vitest';
import {
  createReadThrough,
  type ReadThroughOptions,
} from '../../../shared/tenants/read-through.ts';

/** A store whose answers and a clock whose time the test decides. */
function setUp(
  overrides: Partial<
    Pick<ReadThroughOptions<string>, 'capacity' | 'timeoutMs' | 'confirmedAt'>
  > = {},
) {
  const records = new Map<string, string>();
  const state = { time: 0, reads: 0, failing: false, answer: Promise.resolve() };
  const cache = createReadThrough<string>({
    capacity: 100,
    ttlMs: 4_000,
    longestMs: 60_000,
    absentTtlMs: 1_000,
    staleMs: 30_000,
    timeoutMs: 2_000,
    retryMs: 1_000,
    ...overrides,
    now: () => state.time,
    async read(key) {
      state.reads += 1;
      const found = records.get(key);
      await state.answer;
      if (state.failing) throw new Error('away');
      return found;
    },
  });
  return { records, state, cache };
}

describe('a read-through cache', () => {
  test('asks once within the time an answer is current, and again after it', async () => {
    const { records, state, cache } = setUp();
    records.set('a', 'old');
    expect(await cache.get('a')).toBe('old');
    records.set('a', 'new');
    state.time = 3_999;
    expect(await cache.get('a')).toBe('old');
    state.time = 4_000;
    expect(await cache.get('a')).toBe('new');
    expect(state.reads).toBe(2);
  });

  test('keeps an answer that is confirmed to be current, for a minute and no longer', async () => {
    let confirmedAt = 0;
    const { records, state, cache } = setUp({ confirmedAt: () => confirmedAt });
    records.set('a', 'old');
    await cache.get('a');
    records.set('a', 'new');
    for (confirmedAt = 1_000; confirmedAt <= 60_000; confirmedAt += 1_000) {
      state.time = confirmedAt + 3_999;
      expect(await cache.get('a')).toBe('old');
    }
    state.time = confirmedAt + 3_999;
    expect(await cache.get('a')).toBe('new');
    confirmedAt += 60_000;
    state.time = confirmedAt;
    cache.forget((key) => key === 'a');
    records.set('a', 'newer');
    expect(await cache.get('a')).toBe('newer');
  });

  test('makes one read of many at the same time', async () => {
    const { records, state, cache } = setUp();
    records.set('a', 'x');
    const answers = await Promise.all(Array.from({ length: 50 }, () => cache.get('a')));
    expect(new Set(answers)).toEqual(new Set(['x']));
    expect(state.reads).toBe(1);
  });

  test('believes "there is none" for a second, and not after any change', async () => {
    const { records, state, cache } = setUp();
    expect(await cache.get('a')).toBeUndefined();
    records.set('a', 'x');
    state.time = 999;
    expect(await cache.get('a')).toBeUndefined();
    cache.forget(() => false);
    expect(await cache.get('a')).toBe('x');
  });

  test('does not keep what was being read when the change came', async () => {
    const { records, state, cache } = setUp();
    const { promise, resolve } = Promise.withResolvers<void>();
    records.set('a', 'old');
    state.answer = promise;
    const early = cache.get('a');
    records.set('a', 'new');
    cache.forget(() => true);
    const late = cache.get('a');
    resolve();
    expect(await early).toBe('old');
    expect(await late).toBe('new');
    expect(await cache.get('a')).toBe('new');
  });

  test('serves the last good answer for 30 s while the store fails, asking it once a second', async () => {
    const { records, state, cache } = setUp();
    records.set('a', 'x');
    await cache.get('a');
    state.failing = true;
    state.time = 29_000;
    expect(await cache.get('a')).toBe('x');
    expect(await cache.get('a')).toBe('x');
    expect(state.reads).toBe(2);
    state.time = 30_001;
    await expect(cache.get('a')).rejects.toThrow('away');
  });

  test('never serves again what was forgotten, even while the store fails', async () => {
    const { records, state, cache } = setUp();
    records.set('a', 'x');
    await cache.get('a');
    cache.forget(() => true);
    state.failing = true;
    await expect(cache.get('a')).rejects.toThrow('away');
  });

  test('waits no longer than it was told', async () => {
    const { state, cache } = setUp({ timeoutMs: 20 });
    state.answer = new Promise(() => undefined);
    await expect(cache.get('a')).rejects.toThrow('no answer within 20 ms');
  });

  test('keeps the most recently used, and guesses evict none of them', async () => {
    const { records, state, cache } = setUp({ capacity: 2 });
    for (const key of ['a', 'b', 'c']) records.set(key, key);
    await cache.get('a');
    await cache.get('b');
    await cache.get('a');
    await cache.get('c');
    for (let guess = 0; guess < 10; guess += 1) await cache.get(`guess-${guess}`);
    state.reads = 0;
    await cache.get('a');
    await cache.get('c');
    expect(state.reads).toBe(0);
    await cache.get('b');
    expect(state.reads).toBe(1);
  });
});
