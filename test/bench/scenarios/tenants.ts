/**
 * One, a hundred and ten thousand tenants: how many calls are answered, and what tenants cost that
 * were active a moment ago and are not any more.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { measureLoad, toFigures, toRow, type Round } from '../measure/measure-load.ts';
import { readHolding, type Holding } from '../measure/holding.ts';
import { readIdleCost } from '../measure/idle-cost.ts';
import { startMesh } from '../targets/mesh.ts';
import { atLeast, atMost, type Scenario } from './scenario.ts';

const inFlight = 64;
const settleMs = 30_000;
const idleMs = 20_000;

export const tenants: Scenario = {
  name: 'tenants',
  async run({ seconds, rounds, warmUpSeconds, mostTenants: most }, { client, say }) {
    say(`Writing ${most} tenants`);
    await using mesh = await startMesh({ tenants: most });
    const era = '2026-07-28';
    const load = { url: mesh.url, era, call: mesh.echo, connections: inFlight } as const;
    const tokensOf = (count: number): readonly string[] => mesh.tokens.slice(0, count);

    say('Warming up with one tenant');
    await client.run({ ...load, tokens: tokensOf(1), seconds: warmUpSeconds });
    await sleep(settleMs);
    const before = await readHolding(mesh);
    say(`A first call of each of ${most} tenants`);
    await client.run({ ...load, tokens: mesh.tokens, calls: most });

    const points = [1, 100, most].map((count) => ({ count, rounds: [] as Round[] }));
    for (let round = 1; round <= rounds; round += 1) {
      for (const { count, rounds: measured } of points) {
        say(`Round ${round} of ${rounds}: ${count} tenants`);
        const one = { ...load, tokens: tokensOf(count), seconds };
        measured.push(await measureLoad(client, mesh.processes, one));
      }
    }
    say('Waiting until everything is idle');
    await sleep(settleMs);
    const held = perTenant(most, before, await readHolding(mesh));
    say('Measuring what idle costs');
    const idle = await readIdleCost(mesh, idleMs);

    const figures = points.map(({ count, rounds }) => ({ tenants: count, ...toFigures(rounds) }));
    const [one, hundred, all] = figures.map(({ callsPerSecond }) => callsPerSecond);
    const ratio = (rate = Number.NaN): number => rate / (one ?? Number.NaN);
    return {
      rows: [
        ...figures.map(({ tenants, ...rest }) => ({ tenants: String(tenants), ...toRow(rest) })),
        { tenants: 'idle', 'CPU %': idle.cpuPercent, 'Redis commands/s': idle.commandsPerSecond },
        { tenants: 'a tenant', ...held },
      ],
      figures: { throughput: figures, idle, held },
      verdicts: [
        atLeast('calls a second of 100 tenants, against 1', ratio(hundred), 0.97, ' ×'),
        atLeast(`calls a second of ${most} tenants, against 1`, ratio(all), 0.8, ' ×'),
        atMost('Redis commands a second, idle', idle.commandsPerSecond, 5),
        atMost('CPU of all processes, idle', idle.cpuPercent, 1, ' %'),
        atMost('Redis, of a tenant that has been active', held['redis bytes'] ?? NaN, 5_000, ' B'),
        atMost('heap, of a tenant that has been active', heapOf(held), 10_000, ' B'),
      ],
    };
  },
};

function perTenant(
  most: number,
  before: Holding,
  after: Holding,
): Readonly<Record<string, number>> {
  const names = Object.keys(after);
  return Object.fromEntries(
    names.map((name) => [`${name} bytes`, ((after[name] ?? 0) - (before[name] ?? 0)) / most]),
  );
}

function heapOf(held: Readonly<Record<string, number>>): number {
  return (held['ingress bytes'] ?? Number.NaN) + (held['worker bytes'] ?? Number.NaN);
}
