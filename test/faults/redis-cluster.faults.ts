/** The same on a Redis Cluster of three nodes, the tenants on eight shards, each fault on any of them. */
import { expect, test } from 'vitest';
import {
  atRandom,
  cutTail,
  flood,
  killIngress,
  killWorker,
  nothing,
  replaceWorker,
  restartRedis,
  stopWorker,
} from './acts.ts';
import { startThreeNodes } from './fault-redis.ts';
import { leaseMs } from './fleet.ts';
import { randomMs } from './random-ms.ts';
import { useStretches } from './stretch.ts';

const stretches = useStretches(startThreeNodes, 'Redis Cluster');

test('no fault at all', async () => {
  const { others } = await stretches.under('none', nothing);
  expect(others).toBe('');
});

test('kill -9 of a worker', async () => {
  await stretches.under('kill -9 worker', killWorker);
});

test('kill -9 of an ingress', async () => {
  await stretches.under('kill -9 ingress', killIngress);
});

test('a restart of one node with its append-only file', async () => {
  await stretches.under('restart node', restartRedis);
});

test('a restart of one node with the tail of its append-only file cut off', async () => {
  await stretches.under('cut AOF tail', cutTail);
});

test('a backlog of one tenant costs the quiet ones next to nothing', async () => {
  const { quietP99Ms } = await stretches.under('flood', flood);
  expect(quietP99Ms).toBeLessThan(stretches.quietBoundMs);
});

test(
  'faults at random',
  async () => {
    const act = atRandom(randomMs, {
      'kill -9 worker': killWorker,
      'kill -9 ingress': killIngress,
      'SIGTERM worker': replaceWorker,
      'SIGSTOP worker': stopWorker(leaseMs),
      'restart node': restartRedis,
      flood,
    });
    await stretches.under('at random', act);
  },
  2 * randomMs + 60_000,
);
