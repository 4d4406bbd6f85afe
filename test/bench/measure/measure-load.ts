/** One load, and what each process spent on a call of it. */
import type { Load, Measured } from '../load/load.ts';
import type { LoadClient } from '../load/start-client.ts';
import { median } from './percentile.ts';
import { withCpu, type Watched } from './processes.ts';
import type { Row } from './table.ts';

export interface Round {
  readonly measured: Measured;
  /** A call, by process. */
  readonly cpuUs: Readonly<Record<string, number>>;
}

/** The middle of several rounds. */
export interface Figures {
  readonly callsPerSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly errors: number;
  readonly problem: string | undefined;
  readonly cpuUs: Readonly<Record<string, number>>;
}

export async function measureLoad(
  client: LoadClient,
  processes: readonly Watched[],
  load: Load,
): Promise<Round> {
  const watched = [...processes, { name: 'client', pid: client.pid }];
  const { result: measured, cpuUs } = await withCpu(watched, () => client.run(load));
  const each = Object.entries(cpuUs).map(([name, us]) => [name, us / measured.calls] as const);
  return { measured, cpuUs: Object.fromEntries(each) };
}

export function toFigures(rounds: readonly Round[]): Figures {
  const middle = (pick: (round: Round) => number): number => median(rounds.map(pick));
  const names = Object.keys(rounds[0]?.cpuUs ?? {});
  return {
    callsPerSecond: middle(({ measured }) => measured.callsPerSecond),
    p50Ms: middle(({ measured }) => measured.p50Ms),
    p99Ms: middle(({ measured }) => measured.p99Ms),
    errors: rounds.reduce((sum, { measured }) => sum + measured.errors, 0),
    problem: rounds.flatMap(({ measured }) => measured.problems)[0],
    cpuUs: Object.fromEntries(names.map((name) => [name, middle(({ cpuUs }) => cpuUs[name] ?? 0)])),
  };
}

export function toRow({ callsPerSecond, p50Ms, p99Ms, errors, problem, cpuUs }: Figures): Row {
  const spent = Object.entries(cpuUs).map(([name, us]) => `${name} ${us.toFixed(0)}`);
  return {
    'calls/s': callsPerSecond,
    'p50 ms': p50Ms,
    'p99 ms': p99Ms,
    errors: String(errors),
    'CPU µs a call': spent.join(', '),
    ...(problem === undefined ? {} : { problem }),
  };
}
