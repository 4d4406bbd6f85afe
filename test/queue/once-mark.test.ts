import { afterAll, beforeAll, expect, test } from 'vitest';
import { beginOnce } from '../../services/worker/begin-once.ts';
import { holdLease, instant } from '../../services/worker/held-lease.ts';
import { markOnce } from '../../shared/aws/once-mark.ts';
import type { Lease } from '../../shared/queue/lease.ts';
import { names, startLocalCloud, type LocalCloud } from '../shared/aws/local-cloud.ts';
import { aCall, aTenant } from './calls.ts';

let cloud: LocalCloud;
beforeAll(async () => {
  cloud = await startLocalCloud();
});
afterAll(() => cloud[Symbol.asyncDispose]());

const { invocation } = aCall(aTenant(), { tool: 'events_send' });

/** As a Redis would let it begin that remembers nothing. */
function begin(token: string, replay?: number) {
  const lease: Lease = {
    shard: 0,
    tenant: invocation.tenant,
    id: invocation.id,
    token,
    invocation: { ...invocation, ...(replay === undefined ? {} : { replay }) },
    replyTo: '',
    sequence: 1,
    foreign: false,
    attempt: 1,
    begun: false,
    cancelled: false,
    waitedMs: 0,
    remainingMs: 60_000,
  };
  const held = holdLease(lease, 60_000, instant());
  return beginOnce(held, {
    mark: (mark, call) =>
      markOnce(mark, call, {
        dynamodb: cloud.clients.for(call.tenant).dynamodb,
        table: names.kvTable,
      }),
    begin: async () => 'begun',
  }).finally(() => held.close());
}

test('a call that has begun never begins again, even if Redis has forgotten it', async () => {
  expect(await begin('first')).toBe('begun');
  expect(await begin('first'), 'its own answer was lost').toBe('begun');
  expect(await begin('second')).toBe('unknown');
  expect(await begin('third')).toBe('unknown');
});

test('each replay of a dead letter may begin once', async () => {
  expect(await begin('fourth', 1)).toBe('begun');
  expect(await begin('fifth', 1)).toBe('unknown');
  expect(await begin('sixth', 2)).toBe('begun');
});
