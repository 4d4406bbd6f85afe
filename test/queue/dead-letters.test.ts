import { beforeEach, describe, expect, test } from 'vitest';
import { createDeadLetterStore } from '../../shared/dead-letters/dead-letter-store.ts';
import { sensitiveOf } from '../../shared/dead-letters/known-tools.ts';
import { mirrorDeadLetters } from '../../shared/dead-letters/mirror.ts';
import { createInvocationQueue, type Obituary } from '../../shared/queue/invocation-queue.ts';
import type { Reply } from '../../shared/queue/invocation.ts';
import type { Lease } from '../../shared/queue/lease.ts';
import {
  deadLetters,
  deadLetterTimes,
  indexPrefix,
  queueKey,
  unsentLetters,
} from '../../shared/queue/names.ts';
import { aCall, aTenant, anId, claimOne, done, type ACall } from './calls.ts';
import { openRedis, silent } from './redis.ts';

const redis = await openRedis();
const commands = await redis.connect('commands');
const queue = createInvocationQueue(commands, { name: 'w', leaseMs: 60_000 });
const letters = createDeadLetterStore({
  redis: commands,
  queue,
  sensitiveOf,
  timeoutOf: () => 60_000,
});
const acme = aTenant();
beforeEach(() => redis.clear());

const byText = (a = '', b = ''): number => (a < b ? -1 : 1);
const why: Obituary = { code: 'internal', message: 'Internal error', cause: 'TypeError' };
const failed = ({ id }: Lease): Reply => ({
  id,
  status: 'faulted',
  fault: { code: why.code, message: why.message },
});

async function bury(given: ACall = {}): Promise<Lease> {
  await queue.admit(aCall(acme, { tool: 'kv_get', ...given }));
  const lease = await claimOne(queue);
  await queue.settle(lease, failed(lease), 0, why);
  return lease;
}

/** As if the worker had died, and the call's time had run out. */
async function expireBegun(lease: Lease): Promise<void> {
  await redis.raw.del(queueKey(0, acme.id, `${lease.id}:lock`));
  await redis.raw.zadd(`${indexPrefix(0)}busy`, 0, acme.id);
  await redis.raw.zadd(`${indexPrefix(0)}deadlines`, 1, `${acme.id}/${lease.id}`);
  await queue.sweep(0);
}

describe('a dead letter', () => {
  test('tells what happened to which call, and how often it was tried', async () => {
    const { id } = await bury({ arguments: { key: 'a' } });
    expect(await letters.list(acme)).toMatchObject([
      { id, ...why, tool: 'kv_get', user: 'ann', attempts: 1, arguments: '{"key":"a"}' },
    ]);
    expect(await letters.list(acme, { tool: 'kv_set' })).toEqual([]);
    expect(await letters.list(acme, { code: 'outcome_unknown' })).toEqual([]);
  });

  test('never shows what its tool calls sensitive, and of an unknown tool nothing', async () => {
    await bury({ tool: 'credentials_put', arguments: { service: 's', secret: 'hush' } });
    await bury({ tool: 'gone', arguments: { field: 'hush' } });
    const shown = await letters.list(acme);
    expect(shown.map((letter) => letter.arguments).toSorted(byText)).toEqual([
      '{"field":"[withheld]"}',
      '{"service":"s","secret":"[withheld]"}',
    ]);
    expect(JSON.stringify(shown)).not.toContain('hush');
  });

  test('shows at most 2 KB of arguments', async () => {
    await bury({ arguments: { key: 'ä'.repeat(3_000) } });
    const [letter] = await letters.list(acme);
    expect(letter?.arguments).toMatch(/^\{"key":"ä+…$/);
    expect(Buffer.byteLength(letter?.arguments ?? '')).toBeLessThan(2_056);
  });

  test('is replayed under its id, with all its arguments, and its caller gets the new reply', async () => {
    const id = anId('keyed', 'c');
    const given = { id, arguments: { key: 'k'.repeat(5_000) }, fingerprint: 'f' };
    await bury(given);
    expect(await queue.admit(aCall(acme, { tool: 'kv_get', ...given }))).toMatchObject({
      outcome: 'replied',
    });
    expect(await letters.replay(acme, id)).toBe(true);
    expect(await letters.list(acme)).toEqual([]);
    const lease = await claimOne(queue);
    expect(lease.id).toBe(id);
    expect(lease.invocation?.arguments).toEqual(given.arguments);
    await queue.settle(lease, done(lease, '{"ok":1}'), 0);
    expect(await queue.admit(aCall(acme, { tool: 'kv_get', ...given }))).toMatchObject({
      outcome: 'replied',
      reply: expect.stringContaining('{"ok":1}'),
    });
    expect(await letters.replay(acme, id)).toBe(false);
  });

  test('that fails again is a letter again', async () => {
    const { id } = await bury();
    await letters.replay(acme, id);
    const lease = await claimOne(queue);
    await queue.settle(lease, failed(lease), 0, why);
    expect(await letters.list(acme)).toHaveLength(1);
  });

  test('is gone once a retry under its key has ended well', async () => {
    const given = { id: anId('keyed', 'c'), fingerprint: 'f' };
    await queue.admit(aCall(acme, given));
    const lease = await claimOne(queue);
    const { id } = lease;
    const fault = { code: 'tool_failed', message: 'busy', retryAfterMs: 1 } as const;
    await queue.settle(lease, { id, status: 'faulted', fault }, 0, why);
    expect(await letters.list(acme)).toHaveLength(1);
    expect(await queue.admit(aCall(acme, given))).toMatchObject({ outcome: 'queued' });
    const again = await claimOne(queue);
    await queue.settle(again, done(again), 0);
    expect(await letters.list(acme)).toEqual([]);
  });

  test('is written for a call that had begun when its time ran out', async () => {
    await queue.admit(aCall(acme, { tool: 'events_send' }));
    const lease = await claimOne(queue);
    await queue.begin(lease);
    await expireBegun(lease);
    expect(await letters.list(acme)).toMatchObject([
      { id: lease.id, code: 'outcome_unknown', tool: 'events_send', attempts: 1 },
    ]);
  });

  test('is not written by a worker that has lost the lease', async () => {
    await queue.admit(aCall(acme));
    const lease = await claimOne(queue);
    await queue.settle({ ...lease, token: 'other' }, failed(lease), 0, why);
    expect(await letters.list(acme)).toEqual([]);
  });

  test('of one tenant is nothing to another', async () => {
    const { id } = await bury();
    const other = aTenant({ id: 'other' });
    expect(await letters.list(other)).toEqual([]);
    expect(await letters.replay(other, id)).toBe(false);
    expect(await letters.discard(other, [id])).toBe(0);
  });

  test('that is discarded leaves nothing behind', async () => {
    const { id } = await bury();
    expect(await letters.discard(acme, [id])).toBe(1);
    expect(await redis.raw.keys(`${indexPrefix(0)}dead*`)).toEqual([]);
  });

  test('can be unreadable: it is shown, and not replayed', async () => {
    const { invocation } = aCall(acme);
    await queue.admit(aCall(acme, { id: invocation.id }));
    await redis.raw.hset(queueKey(0, acme.id, invocation.id), 'data', '{"v":99}');
    const lease = await claimOne(queue);
    await queue.settle(lease, failed(lease), 0, why);
    expect(await letters.read(acme, lease.id)).toMatchObject({ ...why, attempts: 1 });
    await expect(letters.replay(acme, lease.id)).rejects.toThrow('cannot be read');
  });
});

test('the oldest letters make room: at most 1,000 of a tenant, and 32 MiB', async () => {
  const first = await bury();
  const key = deadLetterTimes(0, acme.id);
  const later = Date.now() + 60_000;
  await redis.raw.zadd(key, ...Array.from({ length: 999 }, (_, i) => [later, `i-${i}`]).flat());
  await bury();
  expect(await redis.raw.zcard(key)).toBe(1_000);
  expect(await letters.read(acme, first.id)).toBeUndefined();

  await redis.clear();
  const large = 'x'.repeat(4 * 1024 * 1024);
  for (let i = 0; i < 9; i += 1) await bury({ arguments: { large } });
  expect(await letters.list(acme)).toHaveLength(7);
  expect(Number(await redis.raw.hget(deadLetters(0, acme.id), ''))).toBeLessThan(33_554_432);
  expect(await redis.raw.pttl(key)).toBeGreaterThan(13 * 86_400_000);
}, 60_000);

describe('a mirror', () => {
  const sent: string[] = [];
  let failures = 0;
  const sqs = {
    send: async (command: { input: { MessageBody?: string } }) => {
      if (failures-- > 0) throw new Error('away');
      sent.push(command.input.MessageBody ?? '');
    },
  } as never;
  const open = () =>
    mirrorDeadLetters(
      { queueUrl: 'https://sqs/queue', shards: 1, everyMs: 20, againMs: 100 },
      { redis: commands, letters, sqs, log: silent },
    );
  beforeEach(() => {
    sent.length = 0;
    failures = 0;
  });

  test('sends each letter until SQS has taken it, once and redacted', async () => {
    failures = 2;
    const mirrors = [open(), open()];
    const { id } = await bury({ tool: 'credentials_put', arguments: { secret: 'hush' } });
    await expect.poll(() => redis.raw.exists(unsentLetters(0)), { timeout: 5_000 }).toBe(0);
    await Promise.all(mirrors.map((each) => each.close()));
    expect(sent).toHaveLength(1);
    expect(JSON.parse(sent[0] ?? '')).toMatchObject({ id, tenant: 'acme', ...why });
    expect(sent[0]).not.toContain('hush');
  });

  test('sends what was written while no process was there, by whoever comes next', async () => {
    failures = 1;
    const { id } = await bury();
    await open().close();
    expect(sent).toEqual([]);
    const next = open();
    await expect.poll(() => sent.length, { timeout: 5_000 }).toBe(1);
    await next.close();
    expect(JSON.parse(sent[0] ?? '')).toMatchObject({ id });
  });

  test('sends what a sweep has written', async () => {
    await queue.admit(aCall(acme, { tool: 'events_send' }));
    const lease = await claimOne(queue);
    await queue.begin(lease);
    await expireBegun(lease);
    await open().close();
    expect(JSON.parse(sent[0] ?? '')).toMatchObject({ id: lease.id, code: 'outcome_unknown' });
  });

  test('sends nothing of a letter that is gone', async () => {
    const { id } = await bury();
    await letters.discard(acme, [id]);
    await open().close();
    expect(sent).toEqual([]);
  });
});
