/**
 * One cluster under a mixed load, and one fault after another. After each the load is stopped, all
 * calls are answered, and the books are checked. Not among the faults: a blocked event loop. A
 * stopped process is the same to everybody else, and no tool blocks its worker on demand.
 */
import { readdir, stat, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { indexPrefix } from '../../shared/queue/names.ts';
import { callTimeoutMs, leaseMs, startFaultFleet, type FaultFleet } from './fleet.ts';
import { callOnce, startLoad, tenants, type Ended } from './load.ts';
import { judge, type StretchVerdict } from './verdict.ts';

let fleet: FaultFleet;
const verdicts: StretchVerdict[] = [];
beforeAll(async () => {
  fleet = await startFaultFleet(tenants);
});
afterAll(async () => {
  process.stdout.write(`\n${toTable(verdicts)}\n`);
  await fleet[Symbol.asyncDispose]();
});

/** Load before, during and after a fault. */
async function under(
  fault: string,
  inject: () => Promise<readonly Ended[] | void>,
): Promise<StretchVerdict> {
  const from = Date.now();
  const load = startLoad(fleet);
  await sleep(1_500);
  const more = (await inject()) ?? [];
  await sleep(1_500);
  await load.stop();
  await untilQuiet();
  const verdict = await judge(fault, fleet, [...load.ended, ...more], from);
  verdicts.push(verdict);
  const { left, unbalanced, violations, overCapMs, missing, duplicates, ok } = verdict;
  expect({ left, unbalanced, violations, overCapMs, missing, duplicates }).toEqual({
    left: [],
    unbalanced: [],
    violations: [],
    overCapMs: 0,
    missing: [],
    duplicates: [],
  });
  expect(ok).toBeGreaterThan(0);
  return verdict;
}

/** No call is outstanding any more. */
async function untilQuiet(): Promise<void> {
  await expect
    .poll(() => fleet.ask.zcard(`${indexPrefix(0)}deadlines`).catch(() => -1), {
      timeout: callTimeoutMs + 5_000,
      interval: 100,
    })
    .toBe(0);
}

/** A dead process's calls wait for their lease and the sweep after it; the rest is a slow machine. */
const recoveryMs = leaseMs + 1_000 + 3_000;

test('no fault at all', async () => {
  const verdict = await under('none', async () => undefined);
  expect(verdict.others).toBe('');
});

test('kill -9 of a worker', async () => {
  const verdict = await under('kill -9 worker', async () => {
    process.kill(fleet.workers.at(-1)?.pid ?? 0, 'SIGKILL');
    await sleep(2_000);
    await fleet.startWorker();
  });
  expect(verdict.quietP99Ms).toBeLessThan(recoveryMs);
});

test('kill -9 of an ingress', async () => {
  await under('kill -9 ingress', async () => {
    process.kill(fleet.ingresses.at(-1)?.pid ?? 0, 'SIGKILL');
    await fleet.startIngress();
  });
});

test('a worker stopped past its lease, which then goes on', async () => {
  const verdict = await under('SIGSTOP worker', async () => {
    const pid = fleet.workers.at(-1)?.pid ?? 0;
    process.kill(pid, 'SIGSTOP');
    await sleep(2 * leaseMs);
    process.kill(pid, 'SIGCONT');
  });
  expect(verdict.quietP99Ms).toBeLessThan(recoveryMs);
});

test('a worker cut off from Redis by a network that swallows everything', async () => {
  await under('network of a worker', async () => {
    fleet.network.swallow();
    await sleep(2 * leaseMs);
    fleet.network.mend();
  });
});

test('a restart of Redis with its append-only file', async () => {
  await under('restart Redis', async () => {
    await fleet.redis.kill();
    await sleep(500);
    await fleet.redis.start();
  });
});

test('a restart of Redis with the tail of its append-only file cut off', async () => {
  await under('cut AOF tail', async () => {
    await fleet.redis.kill();
    const folder = join(fleet.redis.folder, 'appendonlydir');
    const file = (await readdir(folder)).find((name) => name.endsWith('.incr.aof')) ?? '';
    const { size } = await stat(join(folder, file));
    await truncate(join(folder, file), Math.max(0, size - 20_000));
    await fleet.redis.start();
  });
});

test('a Redis that is full', async () => {
  const verdict = await under('Redis full', async () => {
    const used = /used_memory:(\d+)/.exec(await fleet.ask.info('memory'))?.[1];
    await fleet.ask.config('SET', 'maxmemory', Number(used) + 200_000);
    await sleep(3_000);
    await fleet.ask.config('SET', 'maxmemory', 0);
  });
  expect(verdict.others).toMatch(/^\d+ http 503$/);
});

test.each(['slow', 'throttling', 'failing', 'hanging'] as const)(
  'an AWS that is %s',
  async (mood) => {
    await under(`AWS ${mood}`, async () => {
      fleet.aws.mood = mood;
      await sleep(3_000);
      fleet.aws.mood = 'well';
    });
  },
);

test('a backlog of one tenant costs the quiet ones next to nothing', async () => {
  const verdict = await under('flood', async () => {
    const flooding = { id: 'tenant-01', quiet: false };
    const args = { ms: 20 };
    return Promise.all(
      Array.from({ length: 260 }, () => callOnce(fleet, flooding, 0, ['diagnostics_sleep', args])),
    );
  });
  expect(verdict.quietP99Ms).toBeLessThan(2_000);
});

test('a rolling restart', async () => {
  const verdict = await under('rolling restart', async () => {
    for (const old of [...fleet.workers]) {
      await fleet.startWorker();
      await old.stop(10_000);
    }
    for (const old of [...fleet.ingresses]) {
      await fleet.startIngress();
      // As a load balancer does, which sees that it is not ready any more.
      fleet.ingresses.splice(fleet.ingresses.indexOf(old), 1);
      await old.stop(15_000);
    }
  });
  expect(verdict.others).toBe('');
  expect(verdict.quietP99Ms).toBeLessThan(2_000);
});

test('faults at random', async () => {
  const done: string[] = [];
  await under('at random', async () => {
    const until = Date.now() + randomMs;
    while (Date.now() < until) {
      const [name, act] = randomActs[Math.floor(Math.random() * randomActs.length)] ?? [];
      if (!name || !act) continue;
      done.push(name);
      await act();
      await sleep(Math.random() * 1_000);
    }
  });
  process.stdout.write(`at random: ${done.join(', ')}\n`);
}, 120_000);

const randomMs = 40_000;
const victim = () => fleet.workers[Math.floor(Math.random() * fleet.workers.length)]?.pid ?? 0;

const randomActs: readonly (readonly [string, () => Promise<void>])[] = [
  [
    'kill -9 worker',
    async () => {
      process.kill(victim(), 'SIGKILL');
      await fleet.startWorker();
    },
  ],
  [
    'SIGSTOP worker',
    async () => {
      const pid = victim();
      process.kill(pid, 'SIGSTOP');
      await sleep(leaseMs * (0.5 + Math.random()));
      process.kill(pid, 'SIGCONT');
    },
  ],
  [
    'SIGTERM worker',
    async () => {
      process.kill(victim(), 'SIGTERM');
      await fleet.startWorker();
    },
  ],
  [
    'kill -9 ingress',
    async () => {
      process.kill(fleet.ingresses.at(-1)?.pid ?? 0, 'SIGKILL');
      await fleet.startIngress();
    },
  ],
  [
    'restart Redis',
    async () => {
      await fleet.redis.kill();
      await fleet.redis.start();
    },
  ],
  [
    'AWS failing',
    async () => {
      fleet.aws.mood = 'failing';
      await sleep(1_500);
      fleet.aws.mood = 'well';
    },
  ],
];

function toTable(rows: readonly StretchVerdict[]): string {
  const cells = rows.map((row) => [
    row.fault,
    row.calls,
    row.ok,
    row.admitted,
    row.settled,
    row.duplicates.length,
    row.overCapMs,
    row.recoveryMs,
    row.quietP99Ms,
    row.others,
  ]);
  const head =
    'fault,calls,ok,admitted,settled,duplicates,over-cap ms,recovery ms,quiet p99 ms,others';
  const lines = [head.split(','), ...cells.map((line) => line.map(String))];
  const widths = head
    .split(',')
    .map((_, i) => Math.max(...lines.map((line) => line[i]?.length ?? 0)));
  return lines
    .map((line) => line.map((cell, i) => cell.padEnd(widths[i] ?? 0)).join('  '))
    .join('\n');
}
