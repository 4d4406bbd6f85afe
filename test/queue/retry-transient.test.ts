import { expect, test, describe } from 'vitest';
import { z } from 'zod';
import { holdLease, instant } from '../../services/worker/held-lease.ts';
import type { Tool } from '../../services/worker/implement.ts';
import { runInvocation } from '../../services/worker/run-invocation.ts';
import { Fault } from '../../shared/faults.ts';
import type { Lease } from '../../shared/queue/lease.ts';
import { defineTool, type Effect } from '../../shared/tools/contract.ts';
import { aCall, aTenant } from './calls.ts';

const busy = () =>
  new Fault('tool_failed', 'The store is busy.', {
    retryAfterMs: 5,
    cause: new TypeError('hush'),
  });

/** Runs a tool that fails as often as `failures` has faults, and tells the attempts that it saw. */
async function run(effect: Effect, failures: readonly Fault[], remainingMs = 60_000) {
  const attempts: number[] = [];
  const tool: Tool = {
    contract: defineTool({
      name: 'a_tool',
      title: '',
      description: '',
      input: z.object({}),
      output: z.object({}),
      effect,
      quotaCost: 1,
    }),
    run: async () => {
      const fault = failures[attempts.length - 1];
      if (fault) throw fault;
      return '{}';
    },
  };
  const { invocation } = aCall(aTenant());
  const lease: Lease = {
    shard: 0,
    tenant: invocation.tenant,
    id: invocation.id,
    token: 't',
    invocation,
    replyTo: '',
    sequence: 1,
    waitedMs: 0,
    foreign: false,
    attempt: 1,
    begun: false,
    cancelled: false,
    remainingMs,
  };
  const settlement = await runInvocation(holdLease(lease, 60_000, instant()), {
    findTool: () => tool,
    begin: async () => 'begun',
    createContext: (held) => {
      attempts.push(held.lease.attempt);
      return {} as never;
    },
  });
  return { attempts, settlement };
}

describe('a failure of a store that may pass', () => {
  test('is tried again inside the slot, each time as a further attempt of the call', async () => {
    const { attempts, settlement } = await run('idempotent', [busy(), busy()]);
    expect(attempts).toEqual([1, 2, 3]);
    expect(settlement).toMatchObject({ reply: { status: 'completed' } });
  });

  test('is never tried again for a tool that must run at most once', async () => {
    const { attempts, settlement } = await run('once', [busy()]);
    expect(attempts).toEqual([1]);
    expect(settlement.reply).toMatchObject({ status: 'faulted', fault: { code: 'tool_failed' } });
  });

  test('ends with the fault, and as a dead letter, before the time of the call does', async () => {
    const { attempts, settlement } = await run('read', [busy(), busy(), busy()], 1_100);
    expect(attempts).toEqual([1]);
    expect(settlement.reply).toMatchObject({
      status: 'faulted',
      fault: { code: 'tool_failed', retryAfterMs: 5 },
    });
    expect(settlement.obituary).toMatchObject({ code: 'tool_failed' });
    expect(settlement.obituary?.cause).toMatch(/^TypeError at retry-transient.test.ts:\d+$/);
  });

  test('is given up after a bounded number of attempts', async () => {
    const { attempts } = await run('read', Array.from({ length: 9 }, busy));
    expect(attempts).toEqual([1, 2, 3, 4, 5]);
  });
});

describe('a failure that is the caller’s', () => {
  test.each([
    new Fault('invalid_arguments', 'no'),
    new Fault('tool_failed', 'There is no such artifact.'),
    new Fault('storage_full', 'full'),
  ])('is not tried again, and no dead letter: $code', async (fault) => {
    const { attempts, settlement } = await run('read', [fault]);
    expect(attempts).toEqual([1]);
    expect(settlement.obituary).toBeUndefined();
  });
});

test('a bug is a dead letter, and what it said stays secret', async () => {
  const { settlement } = await run('read', [new TypeError('hush') as Fault]);
  expect(settlement.reply).toMatchObject({ fault: { code: 'internal' } });
  expect(JSON.stringify(settlement.obituary)).not.toContain('hush');
  expect(settlement.obituary).toMatchObject({ code: 'internal' });
});
