/**
 * One cluster under a mixed load, and one fault after another. After each the load is stopped, all
 * calls are answered, and the books are checked.
 */
import { expect, test } from 'vitest';
import {
  atRandom,
  blockWorker,
  cutNetwork,
  cutTail,
  fillRedis,
  flood,
  killIngress,
  killWorker,
  makeAws,
  nothing,
  replaceWorker,
  restartAll,
  restartRedis,
  stopWorker,
} from './acts.ts';
import { startOneRedis } from './fault-redis.ts';
import { leaseMs } from './fleet.ts';
import { randomMs } from './random-ms.ts';
import { useStretches } from './stretch.ts';

const stretches = useStretches(startOneRedis, 'One Redis');

/** A dead process's calls wait for their lease and the sweep after it. */
const recoveryMs = leaseMs + 1_000;

test('no fault at all', async () => {
  const { others } = await stretches.under('none', nothing);
  expect(others).toBe('');
});

test('kill -9 of a worker', async () => {
  const { quietP99Ms } = await stretches.under('kill -9 worker', killWorker);
  expect(quietP99Ms).toBeLessThan(stretches.quietBoundMs + recoveryMs);
});

test('kill -9 of an ingress', async () => {
  await stretches.under('kill -9 ingress', killIngress);
});

test('a worker stopped past its lease, which then goes on', async () => {
  const { quietP99Ms } = await stretches.under('SIGSTOP worker', stopWorker());
  expect(quietP99Ms).toBeLessThan(stretches.quietBoundMs + recoveryMs);
});

test('a worker whose event loop is blocked past its lease', async () => {
  const { quietP99Ms } = await stretches.under('blocked worker', blockWorker());
  expect(quietP99Ms).toBeLessThan(stretches.quietBoundMs + recoveryMs);
});

test('a worker cut off from Redis by a network that swallows everything', async () => {
  await stretches.under('network of a worker', cutNetwork);
});

test('a restart of Redis with its append-only file', async () => {
  await stretches.under('restart Redis', restartRedis);
});

test('a restart of Redis with the tail of its append-only file cut off', async () => {
  await stretches.under('cut AOF tail', cutTail);
});

test('a Redis that is full', async () => {
  const { others } = await stretches.under('Redis full', fillRedis);
  expect(others).toMatch(/^\d+ http 503$/);
});

test.each(['slow', 'throttling', 'failing', 'hanging'] as const)(
  'an AWS that is %s',
  async (mood) => {
    await stretches.under(`AWS ${mood}`, makeAws(mood));
  },
);

test('a backlog of one tenant costs the quiet ones next to nothing', async () => {
  const { quietP99Ms } = await stretches.under('flood', flood);
  expect(quietP99Ms).toBeLessThan(stretches.quietBoundMs);
});

test('a rolling restart', async () => {
  const { others, quietP99Ms } = await stretches.under('rolling restart', restartAll);
  expect(others).toBe('');
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
      'blocked worker': blockWorker(leaseMs),
      'network of a worker': cutNetwork,
      'restart Redis': restartRedis,
      'cut AOF tail': cutTail,
      'AWS failing': makeAws('failing', 1_500),
      'AWS throttling': makeAws('throttling', 1_500),
      'AWS hanging': makeAws('hanging', 1_500),
      flood,
    });
    await stretches.under('at random', act);
  },
  2 * randomMs + 60_000,
);
