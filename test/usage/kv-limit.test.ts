import * as fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createCalls, startLocalCloud, type LocalCloud } from '../shared/aws/local-cloud.ts';
import { dyingAfter, longAgo, openBooks } from './books.ts';

const limit = 1_000;
const hourMs = 3_600_000;

let cloud: LocalCloud;
let books: ReturnType<typeof openBooks>;
let calls: ReturnType<typeof createCalls>;
beforeAll(async () => {
  cloud = await startLocalCloud();
  books = openBooks(cloud);
  calls = createCalls({ limits: { kvBytes: limit } });
});
afterAll(() => cloud[Symbol.asyncDispose]());

let tenants = 0;
const newTenant = () => `kv-${(tenants += 1)}`;
/** With its key, so many bytes. */
const valueFor = (key: string, bytes: number) => 'x'.repeat(bytes - key.length);
const held = async (tenant: string) => (await calls.call({ tenant }).readUsage()).kvBytes;
const full = { code: 'storage_full', message: expect.stringContaining(`of ${limit} bytes`) };

describe('a limit on bytes of the key-value store', () => {
  test('lets in what fits to the last byte and refuses the next, naming what is held', async () => {
    const tenant = newTenant();
    await calls.call({ tenant }).writeKv('a', valueFor('a', 400), undefined);
    await calls.call({ tenant }).writeKv('ž', 'ž'.repeat(299), undefined);
    await expect(calls.call({ tenant }).writeKv('b', '', undefined)).rejects.toMatchObject(full);
    expect(await calls.call({ tenant }).readKv('b')).toBeUndefined();
    expect(await held(tenant)).toBe(limit);
  });

  test('counts the difference when a value is written over, also at the limit', async () => {
    const tenant = newTenant();
    const write = (bytes: number) => calls.call({ tenant }).writeKv('a', valueFor('a', bytes), 1e9);
    for (const bytes of [1_000, 1_000, 999, 1_000, 10]) {
      await write(bytes);
      expect(await held(tenant)).toBe(bytes);
    }
    await expect(write(1_001)).rejects.toMatchObject(full);
    expect(await held(tenant)).toBe(10);
  });

  test('frees what is deleted, once', async () => {
    const tenant = newTenant();
    await calls.call({ tenant }).writeKv('a', valueFor('a', 900), undefined);
    expect(await calls.call({ tenant }).deleteKv('a')).toBe(true);
    expect(await calls.call({ tenant }).deleteKv('a')).toBe(false);
    expect(await held(tenant)).toBe(0);
    await calls.call({ tenant }).writeKv('b', valueFor('b', 1_000), undefined);
  });

  test('takes off what has expired, when its hour is over', async () => {
    const tenant = newTenant();
    await calls.call({ tenant }).writeKv('brief', valueFor('brief', 600), hourMs);
    await calls.call({ tenant }).writeKv('lasting', valueFor('lasting', 400), undefined);
    const late = () => calls.call({ tenant }).writeKv('late', valueFor('late', 600), hourMs);
    await expect(late()).rejects.toMatchObject(full);
    await books.letHoursPass(tenant, 'brief', 3);
    await late();
    expect(await held(tenant)).toBe(limit);
    // Written over after its bytes were taken off: nothing is taken off twice.
    await calls.call({ tenant }).writeKv('late', valueFor('late', 10), undefined);
    await calls.call({ tenant }).writeKv('brief', valueFor('brief', 10), undefined);
    expect(await held(tenant)).toBe(420);
    expect(await books.recount(tenant)).toMatchObject({ counted: { bytes: 420 } });
  });

  test('costs three requests a write', async () => {
    const tenant = newTenant();
    let asked = 0;
    const assertLease = () => void (asked += 1);
    await calls.call({ tenant, assertLease }).writeKv('a', 'x', 1_000);
    await calls.call({ tenant, assertLease }).writeKv('a', 'y', 1_000);
    // One more question each, before anything is sent.
    expect(asked).toBe(2 * (3 + 1));
  });

  test('is exact under a thousand writes by four workers at once, at every instant', async () => {
    const tenant = newTenant();
    let [next, over] = [0, false];
    /** Writes one after the other, as a slot of a worker does; resolves with what was refused. */
    const slot = async (worker: typeof calls): Promise<Error[]> => {
      const refused: Error[] = [];
      while (next < 1_000) {
        const sequence = (next += 1);
        const key = `k${sequence % 300}`;
        const value = valueFor(key, 10 + (sequence % 3) * 10);
        // As the queue does, it runs a call again whose worker has given up.
        for (let attempt = 1; attempt < 9; attempt += 1) {
          const end = worker.call({ tenant, sequence, attempt }).writeKv(key, value, undefined);
          const error = await end.catch((thrown: Error) => thrown);
          if (error?.message.includes('did not answer')) continue;
          if (error) refused.push(error);
          break;
        }
      }
      return refused;
    };
    const workers = Array.from({ length: 4 }, () => createCalls({ limits: { kvBytes: limit } }));
    const slots = workers.flatMap((worker) => Array.from({ length: 25 }, () => slot(worker)));
    const ends = Promise.all(slots);
    const watch = async (): Promise<void> => {
      over ||= (await books.recount(tenant)).counted.bytes > limit;
      if (next < 1_000) await watch();
    };
    await watch();
    const refused = (await ends).flat();
    expect(over).toBe(false);
    expect(new Set(refused.map(({ message }) => message.slice(0, 25)))).toEqual(
      new Set(['The key-value store holds']),
    );
    const { recorded, counted } = await books.recount(tenant);
    expect(recorded).toEqual(counted);
    expect(counted.bytes).toBeGreaterThan(limit - 30);
    expect(counted.bytes).toBeLessThanOrEqual(limit);
  }, 120_000);
});

describe('a call that dies', () => {
  // 1: reserved; 2: and written; 3: and settled.
  test.each([0, 1, 2, 3])(
    'after %i requests leaves nothing reserved for ever',
    async (requests) => {
      const tenant = newTenant();
      await calls.call({ tenant }).writeKv('a', valueFor('a', 100), undefined);
      const dying = { tenant, deadline: longAgo(), ...dyingAfter(requests) };
      const end = calls.call(dying).writeKv('a', valueFor('a', 900), undefined);
      await Promise.allSettled([end]);
      expect(await held(tenant)).toBe(requests < 2 ? 100 : 900);
      expect((await books.read(tenant)).reservations.size).toBe(0);
    },
  );

  test('keeps its room until its deadline, for it may run again', async () => {
    const tenant = newTenant();
    const call = { tenant, sequence: 7_000_001 };
    const value = valueFor('a', 900);
    await expect(
      calls.call({ ...call, ...dyingAfter(1) }).writeKv('a', value, undefined),
    ).rejects.toThrow('died');
    expect(await held(tenant)).toBe(900);
    await expect(
      calls.call({ tenant }).writeKv('b', valueFor('b', 101), undefined),
    ).rejects.toMatchObject(full);
    await calls.call({ ...call, attempt: 2 }).writeKv('a', value, undefined);
    expect(await held(tenant)).toBe(900);
  });

  test.each([1, 2, 3])(
    'after %i requests and runs again counts once, also if it was written over meanwhile',
    async (requests) => {
      for (const meanwhile of [false, true]) {
        const tenant = newTenant();
        const call = { tenant, sequence: 7_000_001 };
        const dying = calls.call({ ...call, ...dyingAfter(requests) });
        await dying.writeKv('a', valueFor('a', 300), undefined).catch(() => undefined);
        if (meanwhile) {
          const later = calls.call({ tenant, sequence: 7_000_002 });
          await later.writeKv('a', valueFor('a', 50), undefined);
        }
        const again = calls.call({ ...call, attempt: 2 });
        await again.writeKv('a', valueFor('a', 300), undefined);
        expect(await held(tenant)).toBe(meanwhile ? 50 : 300);
      }
    },
  );
});

describe('the books, whatever is done in whatever order and wherever calls die,', () => {
  const step = fc.record({
    key: fc.constantFrom('a', 'b', 'c'),
    bytes: fc.integer({ min: 1, max: 600 }),
    does: fc.constantFrom('set', 'set', 'set', 'delete'),
    /** Requests until it dies; 9 is never. */
    dies: fc.constantFrom(1, 2, 9, 9, 9),
    rerun: fc.boolean(),
    brief: fc.boolean(),
  });
  type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

  const take = async (
    tenant: string,
    sequence: number,
    { key, bytes, does, dies, ...rest }: Step,
  ) => {
    const attempt = async (number: number, requests: number): Promise<string> => {
      const given = { tenant, sequence, attempt: number, deadline: longAgo() };
      const call = calls.call({ ...given, ...dyingAfter(requests) });
      const value = valueFor(key, bytes);
      const end =
        does === 'delete'
          ? call.deleteKv(key)
          : call.writeKv(key, value, rest.brief ? 1e8 : undefined);
      return end.then(
        () => 'done',
        (error: Error) => (error.message === 'died' ? 'died' : 'refused'),
      );
    };
    const outcome = await attempt(1, dies);
    return outcome === 'died' && rest.rerun ? attempt(2, 99) : outcome;
  };

  /** What the key may hold after the step, by the plain rules. */
  const expected = (
    model: ReadonlyMap<string, number>,
    { key, bytes, does }: Step,
    outcome: string,
  ) => {
    const before = model.get(key) ?? 0;
    const after = does === 'delete' ? 0 : bytes;
    const others = [...model].filter(([other]) => other !== key);
    const room = limit - others.reduce((sum, [, each]) => sum + each, 0);
    if (outcome === 'died') return [before, after];
    if (outcome === 'done') return after <= room ? [after] : [];
    return after > room ? [before] : [];
  };

  test('agree with what is stored and never fall behind it', async () => {
    const whole = fc.asyncProperty(
      fc.array(step, { minLength: 1, maxLength: 14 }),
      async (steps) => {
        const tenant = newTenant();
        const model = new Map<string, number>();
        for (const [at, each] of steps.entries()) {
          const outcome = await take(tenant, at + 1, each);
          const value = await calls.call({ tenant }).readKv(each.key);
          const now = value === undefined ? 0 : each.key.length + value.length;
          expect(expected(model, each, outcome)).toContain(now);
          model.set(each.key, now);

          const stored = [...model.values()].reduce((sum, bytes) => sum + bytes, 0);
          const { bytes } = await books.read(tenant);
          expect(stored).toBeLessThanOrEqual(bytes);
          expect((await books.recount(tenant)).counted.bytes).toBe(stored);
        }
        expect(await held(tenant)).toBe((await books.recount(tenant)).counted.bytes);
      },
    );
    await fc.assert(whole, { numRuns: 40 });
  }, 120_000);
});
