/**
 * A tool that does nothing, at every target, in interleaved rounds: what a call costs, and how many
 * of them a machine of this size answers.
 */
import type { Era, Measured } from '../load/load.ts';
import { median } from '../measure/percentile.ts';
import { readRssBytes, withCpu } from '../measure/processes.ts';
import type { Row } from '../measure/table.ts';
import { floorName, startTarget } from '../targets/start-targets.ts';
import type { Target } from '../targets/target.ts';
import { callVerdicts } from './call-verdicts.ts';
import type { BenchPorts, Scenario } from './scenario.ts';
import type { BenchOptions } from '../options.ts';

/** One target, one era, one number of calls in flight; what each round came to. */
interface Point {
  readonly target: Target;
  readonly era: Era;
  readonly inFlight: number;
  readonly rounds: Round[];
}

interface Round {
  readonly measured: Measured;
  /** A call, by process. */
  readonly cpuUs: Readonly<Record<string, number>>;
}

export interface PointSummary {
  readonly target: string;
  readonly era: Era;
  readonly inFlight: number;
  readonly callsPerSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly errors: number;
  readonly cpuUs: Readonly<Record<string, number>>;
  readonly rssMb: number;
}

export const calls: Scenario = {
  name: 'calls',
  async run(options, ports) {
    await using started = new AsyncDisposableStack();
    const targets: Target[] = [];
    for (const name of options.targets) {
      ports.say(`Starting ${name}`);
      targets.push(started.adopt(await startTarget(name), (target) => target.close()));
    }
    for (const target of targets) await warmUp(target, options, ports);
    const points = targets.flatMap((target) => pointsOf(target, options));
    for (let round = 1; round <= options.rounds; round += 1) {
      for (const point of points) {
        ports.say(`Round ${round} of ${options.rounds}: ${nameOf(point)}`);
        point.rounds.push(await measure(point, options, ports));
      }
    }
    const summaries = await Promise.all(points.map(summarise));
    return { rows: summaries.map(toRow), verdicts: callVerdicts(summaries, floorName) };
  },
};

async function warmUp(target: Target, options: BenchOptions, { client, say }: BenchPorts) {
  const eras = target.eras.filter((era) => options.eras.includes(era));
  for (const era of eras) {
    say(`Warming up ${target.name}, ${era}`);
    const seconds = options.warmUpSeconds / eras.length;
    await client.run({ ...loadOf(target, era, 16), seconds });
  }
}

function pointsOf(target: Target, { eras, concurrency }: BenchOptions): readonly Point[] {
  return target.eras
    .filter((era) => eras.includes(era))
    .flatMap((era) => concurrency.map((inFlight) => ({ target, era, inFlight, rounds: [] })));
}

async function measure(
  { target, era, inFlight }: Point,
  { seconds }: BenchOptions,
  { client }: BenchPorts,
): Promise<Round> {
  const processes = [...target.processes, { name: 'client', pid: client.pid }];
  const { result: measured, cpuUs } = await withCpu(processes, () =>
    client.run({ ...loadOf(target, era, inFlight), seconds }),
  );
  const each = Object.entries(cpuUs).map(([name, us]) => [name, us / measured.calls] as const);
  return { measured, cpuUs: Object.fromEntries(each) };
}

function loadOf({ url, echo, access }: Target, era: Era, connections: number) {
  return { url, era, call: echo, connections, ...access };
}

async function summarise({ target, era, inFlight, rounds }: Point): Promise<PointSummary> {
  const middle = (pick: (round: Round) => number): number => median(rounds.map(pick));
  const names = Object.keys(rounds[0]?.cpuUs ?? {});
  const rss = await Promise.all(target.processes.map(({ pid }) => readRssBytes(pid)));
  const problem = rounds.flatMap(({ measured }) => measured.problems)[0];
  if (problem !== undefined) process.stderr.write(`${target.name} ${era}: ${problem}\n`);
  return {
    target: target.name,
    era,
    inFlight,
    callsPerSecond: middle(({ measured }) => measured.callsPerSecond),
    p50Ms: middle(({ measured }) => measured.p50Ms),
    p99Ms: middle(({ measured }) => measured.p99Ms),
    errors: rounds.reduce((sum, { measured }) => sum + measured.errors, 0),
    cpuUs: Object.fromEntries(names.map((name) => [name, middle(({ cpuUs }) => cpuUs[name] ?? 0)])),
    rssMb: rss.reduce((sum, bytes) => sum + bytes, 0) / 2 ** 20,
  };
}

function toRow({ cpuUs, rssMb, target, era, inFlight, errors, ...figures }: PointSummary): Row {
  return {
    target,
    era,
    'in flight': String(inFlight),
    'calls/s': figures.callsPerSecond,
    'p50 ms': figures.p50Ms,
    'p99 ms': figures.p99Ms,
    errors: String(errors),
    'RSS MB': rssMb,
    'CPU µs a call': Object.entries(cpuUs)
      .map(([name, us]) => `${name} ${us.toFixed(0)}`)
      .join(', '),
  };
}

function nameOf({ target, era, inFlight }: Point): string {
  return `${target.name}, ${era}, ${inFlight} in flight`;
}
