/** What other limits would have made of recorded calls. */
import { describe, expect, test } from 'vitest';
import type { LeaseEvent } from '../../shared/queue/lease-record.ts';
import type { RecordedCall } from '../../shared/tenants/forecast/recorded-calls.ts';
import { CapReplay } from '../../shared/tenants/forecast/replay-cap.ts';
import { replayRates } from '../../shared/tenants/forecast/replay-rates.ts';
import { Tenant } from '../../shared/tenants/tenant.ts';

const minuteMs = 60_000;

function tenant(limits: object, status = 'active'): Tenant {
  return Tenant.parse({ id: 'one', name: 'one', status, limits });
}

function call(at: number, more: Partial<RecordedCall> = {}): RecordedCall {
  return { at, user: 'ann', tool: 'kv_get', decision: 'accepted', times: 1, ...more };
}

describe('recorded calls under other rates', () => {
  const burst = Array.from({ length: 10 }, (_, at) => call(minuteMs + at));

  test('are refused beyond a burst of one minute', () => {
    expect(replayRates(burst, tenant({ requestsPerMinute: 6 }))).toEqual({
      accepted: 10,
      refused: 0,
      newlyRefused: 4,
      newlyAccepted: 0,
    });
  });

  test('come through again as time refills the rate', () => {
    const later = [...burst, ...[1, 2, 3].map((n) => call(minuteMs + 10 + n * 10_000))];
    expect(replayRates(later, tenant({ requestsPerMinute: 6 })).newlyRefused).toBe(4);
  });

  test('are held to the rates of their user and their tool', () => {
    const mixed = [...burst, call(minuteMs + 20, { user: 'bob' })];
    expect(replayRates(mixed, tenant({ userRequestsPerMinute: 3 })).newlyRefused).toBe(7);
    expect(replayRates(mixed, tenant({ tools: { kv_get: 1 } })).newlyRefused).toBe(10);
  });

  test('are let through where they had been refused, each of a folded row for itself', () => {
    const refused = call(minuteMs + 50, { decision: 'refused by a rate', times: 30 });
    expect(replayRates([...burst, refused], tenant({ requestsPerMinute: 25 }))).toEqual({
      accepted: 10,
      refused: 30,
      newlyRefused: 0,
      newlyAccepted: 15,
    });
  });

  test('are all refused by a suspension', () => {
    expect(replayRates(burst, tenant({}, 'suspended')).newlyRefused).toBe(10);
  });
});

describe('recorded leases under another cap', () => {
  /** Four calls at once under a cap of two; each takes a second. */
  const events: LeaseEvent[] = [
    ...['a', 'b', 'c', 'd'].map((call) => ({
      kind: 'admitted' as const,
      tenant: 'one',
      call,
      at: 0,
    })),
    ...['a', 'b'].map((call) => ({
      kind: 'granted' as const,
      tenant: 'one',
      call,
      leaseMs: 1,
      at: 10,
    })),
    ...['a', 'b'].map((call) => ({ kind: 'settled' as const, tenant: 'one', call, at: 1_010 })),
    ...['c', 'd'].map((call) => ({
      kind: 'granted' as const,
      tenant: 'one',
      call,
      leaseMs: 1,
      at: 1_010,
    })),
    ...['c', 'd'].map((call) => ({ kind: 'settled' as const, tenant: 'one', call, at: 2_010 })),
  ];

  function under(cap: number) {
    const replay = new CapReplay(2);
    for (const event of events) replay.apply(event);
    return replay.finish(cap);
  }

  test('wait as they did under the cap that they had', () => {
    expect(under(2)).toEqual({
      calls: 4,
      mostRunning: 2,
      longerMs: 0,
      shorterMs: 0,
      longestMs: 0,
    });
  });

  test('wait for each other under a lower one', () => {
    const { longerMs, longestMs } = under(1);
    // Starts at 0, 1, 2 and 3 s instead of 0, 0, 1 and 1 s, besides what they waited for slots.
    expect(longerMs).toBeGreaterThanOrEqual(4_000);
    expect(longerMs).toBeLessThan(4_100);
    expect(longestMs).toBeGreaterThanOrEqual(2_000);
  });

  test('start at once under a higher one', () => {
    expect(under(4).shorterMs).toBe(2_020);
  });
});
