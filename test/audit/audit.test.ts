import { fork } from 'node:child_process';
import { once } from 'node:events';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import type { TenantId } from '../../shared/ids.ts';
import { startTestAws, type TestAws } from '../support/local-aws.ts';
import { startTestRedis, type TestRedis } from '../support/redis.ts';
import {
  aCall,
  aRefusal,
  aTenant,
  deletePage,
  entriesOf,
  openAudit,
  tamper,
  verify,
  type Backends,
  type OpenAudit,
} from './an-audit.ts';

let aws: TestAws;
let redis: TestRedis;
let backends: Backends;

beforeAll(async () => {
  [aws, redis] = await Promise.all([startTestAws(), startTestRedis()]);
  backends = { redisUrl: redis.url, access: aws.access };
});

afterAll(async () => {
  await Promise.all([aws[Symbol.asyncDispose](), redis[Symbol.asyncDispose]()]);
});

function startProcess(tenant: string, prefix: string, count: number) {
  return fork(new URL('./record-calls.ts', import.meta.url), [
    JSON.stringify(backends),
    tenant,
    prefix,
    String(count),
  ]);
}

/** Names of the calls that a tenant's audit holds, in its order. */
async function callsOf(open: OpenAudit, tenant: ReturnType<typeof aTenant>): Promise<string[]> {
  const entries = await entriesOf(open, tenant.id);
  return entries.flatMap((entry) =>
    entry.action === 'gap' || entry.invocation === undefined ? [] : [entry.invocation],
  );
}

async function untilChained({ log }: OpenAudit, id: TenantId, seq: number): Promise<void> {
  await vi.waitFor(async () => expect(await log.readHead(id)).toMatchObject({ seq }));
}

async function recorded(count: number) {
  const tenant = aTenant();
  const open = openAudit(backends);
  for (let made = 1; made <= count; made += 1) {
    open.audit.record(aCall(tenant, `call-${made}`));
    // Pages of about two entries.
    if (made % 2 === 0) {
      await untilChained(open, tenant.id, made);
    }
  }
  await open.close();
  return { tenant, open: openAudit(backends) };
}

describe('the audit', () => {
  test('keeps who did what, by which rule and how it ended, and nothing else', async () => {
    const tenant = aTenant();
    const open = openAudit(backends);
    open.audit.record(aCall(tenant, 'i-1'));
    open.audit.record(aRefusal(tenant));
    await open.audit.close();
    const [call, refusal] = await entriesOf(open, tenant.id);
    expect(call).toEqual({
      at: expect.any(Number),
      user: 'ann',
      credential: 'key 0123456789ab',
      action: 'tools/call',
      subject: 'kv_set',
      decision: 'allowed',
      outcome: 'completed',
      invocation: 'i-1',
      ms: 3,
      seq: 1,
      prev: expect.any(String),
      hash: expect.any(String),
      keptUntil: expect.any(Number),
      previousUntil: 0,
    });
    expect(refusal).toMatchObject({ seq: 2, prev: call?.hash, rule: 'quota_exceeded' });
    expect(await verify(open, tenant.id)).toEqual({ intact: true, entries: 2, from: 1, to: 2 });
    await open.close();
  });

  test('is one chain without loss, whatever the number of processes that append', async () => {
    const tenant = aTenant();
    const each = 300;
    const processes = ['a', 'b', 'c', 'd'].map((name) => startProcess(tenant.id, name, each));
    await Promise.all(processes.map((child) => once(child, 'exit')));
    await using open = Object.assign(openAudit(backends), {
      [Symbol.asyncDispose]: () => open.close(),
    });
    await vi.waitFor(
      async () => expect(await callsOf(open, tenant)).toHaveLength(4 * each),
      10_000,
    );
    const calls = await callsOf(open, tenant);
    expect(new Set(calls).size).toBe(4 * each);
    for (const name of ['a', 'b', 'c', 'd']) {
      const own = calls.filter((call) => call.startsWith(name));
      expect(own).toEqual(Array.from({ length: each }, (_, index) => `${name}-${index + 1}`));
    }
    expect(await verify(open, tenant.id)).toMatchObject({ intact: true, to: 4 * each });
  });

  test('has whatever a process had answered when it was killed', async () => {
    const tenant = aTenant();
    const child = startProcess(tenant.id, 'k', 1_000_000);
    let answered = 0;
    const enough = new Promise<void>((resolve) => {
      child.on('message', (made) => {
        answered = Number(made);
        if (answered === 500) resolve();
      });
    });
    await enough;
    child.kill('SIGKILL');
    await once(child, 'exit');
    const open = openAudit(backends);
    // Another process takes over what was left behind.
    open.audit.record(aCall(tenant, 'after'));
    await vi.waitFor(async () => expect(await callsOf(open, tenant)).toContain('after'), 25_000);
    const calls = await callsOf(open, tenant);
    expect(calls.length - 1).toBeGreaterThanOrEqual(answered);
    expect(calls.slice(0, answered)).toEqual(
      Array.from({ length: answered }, (_, index) => `k-${index + 1}`),
    );
    expect(await verify(open, tenant.id)).toMatchObject({ intact: true });
    await open.close();
  }, 40_000);

  test('counts like refusals instead of keeping each', async () => {
    const tenant = aTenant();
    const open = openAudit(backends);
    for (let made = 0; made < 50; made += 1) open.audit.record(aRefusal(tenant));
    await open.audit.close();
    const entries = await entriesOf(open, tenant.id);
    expect(entries.length).toBeLessThan(5);
    const times = entries.map((entry) => (entry.action === 'gap' ? 0 : (entry.times ?? 1)));
    expect(times.reduce((sum, each) => sum + each, 0)).toBe(50);
    await open.close();
  });

  test('bounds what a tenant may leave waiting, and says how many decisions it dropped', async () => {
    const [flooding, quiet] = [aTenant(), aTenant()];
    const open = openAudit(backends, { maxItems: 100, gatherMs: 60_000 });
    open.audit.record(aCall(quiet, 'early'));
    for (let made = 0; made < 300; made += 1) open.audit.record(aCall(flooding, `f-${made}`));
    open.audit.record(aCall(quiet, 'late'));
    await open.audit.close();
    expect(await callsOf(open, quiet)).toEqual(['early', 'late']);
    const entries = await entriesOf(open, flooding.id);
    const kept = entries.filter((entry) => entry.action !== 'gap').length;
    const gaps = entries.flatMap((entry) => (entry.action === 'gap' ? [entry.dropped] : []));
    expect(kept).toBeLessThanOrEqual(100);
    expect(kept + gaps.reduce((sum, each) => sum + each, 0)).toBe(300);
    expect(await verify(open, flooding.id)).toMatchObject({ intact: true });
    await open.close();
  });

  test('bounds what waits in a process while Redis is away, and says how much it dropped', async () => {
    const own = await startTestRedis();
    const tenant = aTenant();
    const open = openAudit({ ...backends, redisUrl: own.url }, { maxWaiting: 20 });
    await open.redis.ping();
    for (let made = 0; made < 50; made += 1) open.audit.record(aCall(tenant, `w-${made}`));
    await open.audit.close();
    const entries = await entriesOf(open, tenant.id);
    expect(entries.at(-1)).toMatchObject({ action: 'gap', dropped: 30 });
    expect(await callsOf(open, tenant)).toHaveLength(20);
    await open.close();
    await own[Symbol.asyncDispose]();
  });
});

describe('mesh audit verify', () => {
  test('names an entry that was changed', async () => {
    const { tenant, open } = await recorded(6);
    await tamper(open, tenant.id, 3, ([first = '', ...rest]) => [
      first.replace('"ann"', '"bob"'),
      ...rest,
    ]);
    expect(await verify(open, tenant.id)).toEqual({
      intact: false,
      seq: 3,
      reason: 'was changed: its hash does not fit',
    });
    await open.close();
  });

  test('names an entry that was taken out, first, in the middle or last', async () => {
    for (const [page, missing] of [
      [1, 1],
      [3, 3],
      [5, 5],
    ] as const) {
      const { tenant, open } = await recorded(6);
      await deletePage(open, tenant.id, page);
      expect(await verify(open, tenant.id)).toMatchObject({ intact: false, seq: missing });
      await open.close();
    }
    const { tenant, open } = await recorded(6);
    await tamper(open, tenant.id, 3, ([, second = '']) => [second]);
    expect(await verify(open, tenant.id)).toMatchObject({ intact: false, seq: 3 });
    await open.close();
  });

  test('names entries whose order was changed', async () => {
    const { tenant, open } = await recorded(4);
    await tamper(open, tenant.id, 1, (entries) => [...entries].reverse());
    expect(await verify(open, tenant.id)).toMatchObject({ intact: false, seq: 1 });
    await open.close();
  });

  test("refuses another tenant's entries, however whole their chain", async () => {
    const [one, other] = [await recorded(2), await recorded(2)];
    const stolen: string[] = [];
    for await (const page of one.open.log.pages(one.tenant.id)) stolen.push(...page.entries);
    await tamper(other.open, other.tenant.id, 1, () => stolen);
    expect(await verify(other.open, other.tenant.id)).toMatchObject({ intact: false, seq: 1 });
    await Promise.all([one.open.close(), other.open.close()]);
  });

  test('accepts that the start has expired, and not that it is gone before its time', async () => {
    const { tenant, open } = await recorded(6);
    const later = Date.now() + 91 * 86_400_000;
    await deletePage(open, tenant.id, 1);
    await deletePage(open, tenant.id, 3);
    expect(await verify(open, tenant.id)).toMatchObject({ intact: false, seq: 1 });
    expect(await verify(open, tenant.id, () => later)).toEqual({
      intact: true,
      entries: 2,
      from: 5,
      to: 6,
    });
    await open.close();
  });

  test('lets pages expire, and the chain goes on', async () => {
    const tenant = aTenant();
    const open = openAudit(backends, { retentionDays: 1 / 86_400 });
    open.audit.record(aCall(tenant, 'short-lived'));
    await vi.waitFor(async () => expect(await entriesOf(open, tenant.id)).toHaveLength(1), 5_000);
    await vi.waitFor(async () => expect(await entriesOf(open, tenant.id)).toEqual([]), 15_000);
    expect(await verify(open, tenant.id)).toMatchObject({ intact: true, entries: 0 });
    const kept = openAudit(backends);
    kept.audit.record(aCall(tenant, 'kept'));
    await kept.close();
    expect(await verify(open, tenant.id)).toEqual({ intact: true, entries: 1, from: 2, to: 2 });
    await open.close();
  }, 40_000);

  test('finds a tenant without any decision in order', async () => {
    const open = openAudit(backends);
    const { id } = aTenant();
    expect(await verify(open, id)).toEqual({ intact: true, entries: 0, from: 0, to: 0 });
    await open.close();
  });
});
