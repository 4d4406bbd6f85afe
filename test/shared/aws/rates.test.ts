import { performance } from 'node:perf_hooks';
import * as fc from 'fast-check';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createRateGate } from '../../../shared/aws/buckets/rate-gate.ts';
import {
  takeTokens,
  type AwsRate,
  type TokensWanted,
} from '../../../shared/aws/buckets/take-tokens.ts';
import { Fault } from '../../../shared/faults.ts';
import { TenantId } from '../../../shared/ids.ts';
import { AwsRates } from '../../../shared/tenants/tenant.ts';
import { startTestRedis, type TestRedis } from '../../support/redis.ts';
import { createCalls, startLocalCloud, type LocalCloud } from './local-cloud.ts';

let server: TestRedis;
let redis: Redis;
let cloud: LocalCloud;
beforeAll(async () => {
  [server, cloud] = await Promise.all([startTestRedis(), startLocalCloud()]);
  redis = new Redis(server.url);
});
afterAll(async () => {
  redis.disconnect();
  await server[Symbol.asyncDispose]();
  await cloud[Symbol.asyncDispose]();
});

let tenants = 0;
const newTenant = () => TenantId.parse(`rated-${(tenants += 1)}`);
const never = new AbortController().signal;

/** A worker of its own, whose requests to Redis are counted. */
function createWorker(rates: Partial<AwsRates>, take = takeTokens.bind(undefined, redis)) {
  const seen = { asked: 0 };
  const aws = AwsRates.parse(rates);
  const gate = createRateGate({
    take(wanted: TokensWanted) {
      seen.asked += 1;
      return take(wanted);
    },
    ratesOf: () => Promise.resolve({ shard: 0, aws }),
  });
  const pass = (tenant: TenantId, rate: AwsRate) =>
    gate.pass(tenant, rate, never, Date.now() + 60_000);
  return { gate, seen, pass };
}

/** How many of `starts`, in ms, are in the fullest window of `seconds`. */
function fullest(starts: readonly number[], seconds: number): number {
  const sorted = starts.toSorted((a, b) => a - b);
  let [from, most] = [0, 0];
  for (const [at, start] of sorted.entries()) {
    while (start - (sorted[from] ?? 0) >= seconds * 1_000) from += 1;
    most = Math.max(most, at - from + 1);
  }
  return most;
}

describe("a tenant's rate", () => {
  test('is never passed in any window, whatever the workers and however they ask', async () => {
    const plan = fc.record({
      perSecond: fc.integer({ min: 10, max: 2_000 }),
      workers: fc.integer({ min: 1, max: 4 }),
      slots: fc.integer({ min: 1, max: 24 }),
      pauseMs: fc.integer({ min: 0, max: 30 }),
    });
    const whole = fc.asyncProperty(plan, async ({ perSecond, workers, slots, pauseMs }) => {
      const tenant = newTenant();
      const starts: number[] = [];
      const until = performance.now() + 350;
      const slot = async ({ pass }: Pick<ReturnType<typeof createWorker>, 'pass'>) => {
        while (performance.now() < until) {
          const passed = await pass(tenant, 's3Get').then(
            () => true,
            () => false,
          );
          if (passed) starts.push(performance.now());
          await new Promise((resolve) => setTimeout(resolve, pauseMs));
        }
      };
      const all = Array.from({ length: workers }, () => createWorker({ s3Get: perSecond }));
      await Promise.all(all.flatMap((worker) => Array.from({ length: slots }, () => slot(worker))));
      for (const seconds of [0.01, 0.05, 0.1, 0.3, 1]) {
        expect(fullest(starts, seconds)).toBeLessThanOrEqual(perSecond * (1 + seconds));
      }
    });
    await fc.assert(whole, { numRuns: 30 });
  }, 60_000);

  test('lets a whole second’s worth but a tenth start at once, and all of it within a second', async () => {
    const { pass } = createWorker({ s3Put: 50 });
    const tenant = newTenant();
    const startedAt = performance.now();
    await Promise.all(Array.from({ length: 45 }, () => pass(tenant, 's3Put')));
    expect(performance.now() - startedAt).toBeLessThan(500);
    await pass(tenant, 's3Put');
  });

  test('of a busy tenant costs few requests to Redis', async () => {
    const { pass, seen } = createWorker({ dynamodbRead: 1_000 });
    const tenant = newTenant();
    for (let n = 0; n < 40; n += 1) {
      await Promise.all(Array.from({ length: 10 }, () => pass(tenant, 'dynamodbRead')));
    }
    expect(seen.asked).toBeLessThan(80);
  });

  test('of a quiet tenant takes no token that it does not use', async () => {
    const { pass, seen } = createWorker({ s3List: 10 });
    const tenant = newTenant();
    for (let n = 0; n < 9; n += 1) await pass(tenant, 's3List');
    expect(seen.asked).toBe(9);
    await expect(
      takeTokens(redis, { shard: 0, tenant, rate: 's3List', perSecond: 10, tokens: 1 }),
    ).resolves.toMatchObject({ granted: expect.any(Number) });
  });

  test('is refused beyond a short wait, with the time after which it is open again', async () => {
    const tenant = newTenant();
    const { pass } = createWorker({ s3List: 2 });
    // The second waits for a tenth of a second.
    await pass(tenant, 's3List');
    await pass(tenant, 's3List');
    const refusal = await pass(tenant, 's3List').then(
      () => new Fault('internal', 'passed'),
      (error: unknown) => Fault.from(error),
    );
    expect(refusal.code).toBe('quota_exceeded');
    const { retryAfterMs = 0 } = refusal;
    expect(retryAfterMs).toBeGreaterThan(0);
    expect(retryAfterMs).toBeLessThanOrEqual(500);
    await new Promise((resolve) => setTimeout(resolve, retryAfterMs));
    await pass(tenant, 's3List');
  });

  test('is its own: neither another tenant nor another kind of request takes from it', async () => {
    const { pass } = createWorker({ s3List: 2, secrets: 2 });
    const tenant = newTenant();
    await pass(tenant, 's3List');
    await pass(newTenant(), 's3List');
    await pass(tenant, 'secrets');
  });

  test('that cannot be checked lets nothing out, and says to try again', async () => {
    const { pass } = createWorker({}, () => Promise.reject(new Error('connection lost')));
    await expect(pass(newTenant(), 's3Get')).rejects.toMatchObject({
      code: 'tool_failed',
      message: expect.not.stringContaining('connection lost'),
      retryAfterMs: 1_000,
    });
  });

  test('holds for the requests of real calls, each attempt of each', async () => {
    const { gate, seen } = createWorker({ dynamodbRead: 3 });
    const calls = createCalls({ rates: gate });
    const tenant = newTenant();
    const reads = Array.from({ length: 6 }, () => calls.call({ tenant }).readKv('k'));
    // Two start at once, a third after a tenth of a second.
    const codes = (await Promise.allSettled(reads)).map((end) =>
      end.status === 'rejected' ? end.reason.code : 'done',
    );
    expect(codes.filter((code) => code === 'done')).toHaveLength(3);
    expect(codes.filter((code) => code === 'quota_exceeded')).toHaveLength(3);
    expect(seen.asked).toBeGreaterThan(2);
  });

  test('is known for every request that a call can make', async () => {
    const calls = createCalls({ rates: createWorker({}).gate });
    const aws = () => calls.call();
    const name = { service: 's', connection: 'c' };
    await aws().writeKv('k', 'v', undefined);
    await aws().listKv('', undefined, 10);
    await aws().deleteKv('k');
    await aws().writeArtifact('a', Buffer.from('x'), 'text/plain');
    await aws().readArtifact('a', 10);
    await aws().listArtifacts('');
    await aws().deleteArtifact('a');
    await aws().sendEvent('x', {});
    await aws().credentials.put(name, 'secret');
    await aws().credentials.put(name, 'another');
    expect(await aws().credentials.read('s', 'c')).toBe('another');
    await aws().credentials.delete(name);
    await aws().readUsage();
  });
});
