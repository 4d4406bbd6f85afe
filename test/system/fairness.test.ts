import { Redis } from 'ioredis';
import { describe, expect, test } from 'vitest';
import { newInvocationId, UserId } from '../../shared/ids.ts';
import { createInvocationQueue } from '../../shared/queue/invocation-queue.ts';
import { Tenant, User } from '../../shared/tenants/tenant.ts';
import { resultOf } from '../support/call.ts';
import { startTestCluster } from '../support/cluster.ts';
import { createKey } from '../support/keys.ts';

const flood = 5_000;
const limits = { requestsPerMinute: 1_000_000, userRequestsPerMinute: 1_000_000, backlog: 10_000 };
const tenants = `
tenants:
  - { id: loud, limits: ${JSON.stringify({ ...limits, concurrency: 8 })}, users: [{ id: ann }] }
  - { id: quiet, limits: ${JSON.stringify(limits)}, users: [{ id: bob }] }
`;

/** 5,000 calls of one tenant, straight onto its queue. */
async function floodQueue(url: string): Promise<Redis> {
  const redis = new Redis(url);
  const queue = createInvocationQueue(redis, { name: 'flood', leaseMs: 10_000 });
  const tenant = Tenant.parse({ id: 'loud', name: 'Loud', limits: { ...limits, concurrency: 8 } });
  const user = User.parse({ id: 'ann' });
  const admit = () =>
    queue.admit({
      tenant,
      user,
      invocation: {
        v: 1,
        id: newInvocationId(),
        tenant: tenant.id,
        user: UserId.parse('ann'),
        tool: 'diagnostics_sleep',
        arguments: { ms: 5 },
        progress: false,
      },
      replyTo: 'mesh:reply:nobody',
      replyTtlMs: 1_000,
      fingerprint: '',
      admitBy: Date.now() + 30_000,
      timeoutMs: 60_000,
      cost: 1,
    });
  const admissions = await Promise.all(Array.from({ length: flood }, admit));
  expect(admissions.every(({ outcome }) => outcome === 'queued')).toBe(true);
  return redis;
}

describe('a quiet tenant beside a flood of 5,000 calls on eight slots', () => {
  test('waits for one slot, not for the flood', async () => {
    await using cluster = await startTestCluster({
      diagnostics: true,
      tenants,
      environment: { WORKER_SLOTS: '8' },
    });
    const endpoint = { mcp: cluster.mcp, apiKey: await createKey(cluster, 'quiet', 'bob') };
    await resultOf(endpoint, 'diagnostics_echo', { text: 'warm' });
    const redis = await floodQueue(cluster.redis);

    const waits: number[] = [];
    for (let i = 0; i < 20; i += 1) {
      const started = performance.now();
      await resultOf(endpoint, 'diagnostics_echo', { text: 'hello' });
      waits.push(performance.now() - started);
    }

    const left = await redis.llen('{mesh:0}:q:loud:wait');
    redis.disconnect();
    // The flood is not over, or the test shows nothing.
    expect(left).toBeGreaterThan(flood / 4);
    expect(waits.sort((a, b) => a - b).at(-2)).toBeLessThan(250);
  }, 60_000);
});
