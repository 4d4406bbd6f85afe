import { PutObjectCommand } from '@aws-sdk/client-s3';
import * as fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createCalls, names, startLocalCloud, type LocalCloud } from '../shared/aws/local-cloud.ts';
import { dyingAfter, longAgo, openBooks } from './books.ts';

const limits = { artifacts: 3, artifactBytes: 1_000 };

let cloud: LocalCloud;
let books: ReturnType<typeof openBooks>;
let calls: ReturnType<typeof createCalls>;
beforeAll(async () => {
  cloud = await startLocalCloud();
  books = openBooks(cloud);
  calls = createCalls({ limits });
});
afterAll(() => cloud[Symbol.asyncDispose]());

let tenants = 0;
const newTenant = () => `art-${(tenants += 1)}`;
const held = async (tenant: string) => {
  const { artifacts, artifactBytes } = await calls.call({ tenant }).readUsage();
  return { objects: artifacts, bytes: artifactBytes };
};
const put = (given: Parameters<typeof calls.call>[0], key: string, bytes: number) =>
  calls.call(given).writeArtifact(key, Buffer.alloc(bytes), 'text/plain');
const full = (text: string) => ({
  code: 'storage_full',
  message: expect.stringContaining(text),
});

describe('the limits on artifacts', () => {
  test('refuse one too many and one byte too many, naming which', async () => {
    const tenant = newTenant();
    await put({ tenant }, 'a', 500);
    await expect(put({ tenant }, 'b', 501)).rejects.toMatchObject(full('500 of 1000 bytes'));
    await put({ tenant }, 'b', 500);
    await put({ tenant }, 'c', 0);
    await expect(put({ tenant }, 'd', 0)).rejects.toMatchObject(full('3 of 3 artifacts'));
    expect(await held(tenant)).toEqual({ objects: 3, bytes: 1_000 });
  });

  test('count the difference when an artifact is written over, also when full', async () => {
    const tenant = newTenant();
    for (const bytes of [1_000, 1_000, 1, 0, 999]) {
      await put({ tenant }, 'a', bytes);
      expect(await held(tenant)).toEqual({ objects: 1, bytes });
    }
  });

  test('are freed by a deletion, once', async () => {
    const tenant = newTenant();
    await put({ tenant }, 'a', 1_000);
    expect(await calls.call({ tenant }).deleteArtifact('a')).toBe(true);
    expect(await calls.call({ tenant }).deleteArtifact('a')).toBe(false);
    expect(await held(tenant)).toEqual({ objects: 0, bytes: 0 });
  });

  test('hold under many puts at once, of new keys and the same', async () => {
    const tenant = newTenant();
    const ends = await Promise.allSettled(
      Array.from({ length: 120 }, (_, n) => put({ tenant }, `k${n % 20}`, 100 + (n % 5) * 50)),
    );
    const reasons = ends.flatMap((end) => (end.status === 'rejected' ? [end.reason.code] : []));
    expect(new Set(reasons)).toEqual(new Set(['storage_full']));
    const { recorded, counted, underWay } = await books.recount(tenant, 'artifacts');
    expect({ recorded, underWay }).toEqual({ recorded: counted, underWay: 0 });
    expect(counted.objects).toBe(3);
    expect(counted.bytes).toBeLessThanOrEqual(1_000);
  });

  test('never bring back what a later call deleted, when a put runs again', async () => {
    const tenant = newTenant();
    const first = { tenant, sequence: 5_000_001 };
    await put({ ...first, ...dyingAfter(3) }, 'a', 10).catch(() => undefined);
    await calls.call({ tenant, sequence: 5_000_002 }).deleteArtifact('a');
    await put({ ...first, attempt: 2 }, 'a', 10);
    expect(await calls.call({ tenant }).listArtifacts('')).toEqual([]);
    expect(await held(tenant)).toEqual({ objects: 0, bytes: 0 });
  });

  test('count nothing for an object of another S3 client until a recount mends the books', async () => {
    const tenant = newTenant();
    await put({ tenant }, 'a', 10);
    const foreign = new PutObjectCommand({
      Bucket: names.artifactsBucket,
      Key: `${tenant}/b`,
      Body: 'xyz',
    });
    await cloud.operator.s3.send(foreign);
    expect(await books.recount(tenant, 'artifacts')).toMatchObject({
      recorded: { objects: 1, bytes: 10 },
      counted: { objects: 2, bytes: 13 },
      repaired: false,
    });
    expect(await books.recount(tenant, 'artifacts', true)).toMatchObject({ repaired: true });
    expect(await held(tenant)).toEqual({ objects: 2, bytes: 13 });
  });
});

describe('a put that dies', () => {
  // 1: looked; 2: and reserved; 3: and put; 4: and settled.
  test.each([0, 1, 2, 3, 4])(
    'after %i requests leaves nothing reserved for ever',
    async (requests) => {
      const tenant = newTenant();
      await put({ tenant }, 'a', 100);
      await Promise.allSettled([
        put({ tenant, deadline: longAgo(), ...dyingAfter(requests) }, 'a', 900),
      ]);
      expect(await held(tenant)).toEqual({ objects: 1, bytes: requests < 3 ? 100 : 900 });
      expect((await books.read(tenant, 'artifacts')).reservations.size).toBe(0);
    },
  );

  test('and a sequence of puts, deletes, deaths and re-runs keeps the books true', async () => {
    const step = fc.record({
      key: fc.constantFrom('a', 'b', 'c', 'd'),
      bytes: fc.integer({ min: 0, max: 600 }),
      does: fc.constantFrom('put', 'put', 'put', 'delete'),
      /** Requests until it dies; 9 is never. */
      dies: fc.constantFrom(1, 2, 3, 9, 9, 9),
      rerun: fc.boolean(),
    });
    const whole = fc.asyncProperty(fc.array(step, { maxLength: 10 }), async (steps) => {
      const tenant = newTenant();
      for (const [at, { key, bytes, does, dies, rerun }] of steps.entries()) {
        const attempt = (number: number, requests: number): Promise<unknown> => {
          const given = { tenant, sequence: at + 1, attempt: number, deadline: longAgo() };
          // A deletion that dies half-way may count too much: see its own comment.
          const call = { ...given, ...dyingAfter(does === 'delete' ? 99 : requests) };
          return does === 'delete' ? calls.call(call).deleteArtifact(key) : put(call, key, bytes);
        };
        await attempt(1, dies)
          .catch(() => (rerun ? attempt(2, 99) : undefined))
          .catch(() => {});
        const { counted } = await books.recount(tenant, 'artifacts');
        const total = await books.read(tenant, 'artifacts');
        expect(counted.bytes).toBeLessThanOrEqual(Math.min(total.bytes, limits.artifactBytes));
        expect(counted.objects).toBeLessThanOrEqual(Math.min(total.objects, limits.artifacts));
      }
      const { counted } = await books.recount(tenant, 'artifacts');
      expect(await held(tenant)).toEqual(counted);
    });
    await fc.assert(whole, { numRuns: 25 });
  }, 120_000);
});

describe('a URL for a put', () => {
  const upload = (bytes: number) => ({ bytes, contentType: 'text/plain' });

  test('counts from its signing on, takes just what it was signed for, and only once', async () => {
    const tenant = newTenant();
    const { url, headers } = await calls.call({ tenant }).signPut('big', upload(600), 60);
    expect(await held(tenant)).toEqual({ objects: 1, bytes: 600 });
    await expect(put({ tenant }, 'other', 401)).rejects.toMatchObject(full('600 of 1000'));
    const send = async (bytes: number) => {
      const { 'content-length': _, ...rest } = headers;
      return (await fetch(url, { method: 'PUT', headers: rest, body: 'x'.repeat(bytes) })).status;
    };
    expect(await send(601)).toBe(403);
    expect(await send(600)).toBe(200);
    expect(await send(600)).toBe(412);
    const { url: reading } = await calls.call({ tenant }).signGet('big', 60);
    expect(await (await fetch(reading)).text()).toBe('x'.repeat(600));
    // Written over before anybody settled for the upload.
    await put({ tenant }, 'big', 1_000);
    expect(await held(tenant)).toEqual({ objects: 1, bytes: 1_000 });
  });

  test('is refused where there is no room', async () => {
    const tenant = newTenant();
    const signed = calls.call({ tenant }).signPut('big', upload(1_001), 60);
    await expect(signed).rejects.toMatchObject(full('0 of 1000'));
  });
});
