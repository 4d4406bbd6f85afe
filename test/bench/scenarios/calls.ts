/**
 * A tool that does nothing, at every target, in interleaved rounds: what a call costs, and how many
 * of them a machine of this size answers.
 */
import type { Era } from '../load/load.ts';
import {
  measureLoad,
  toFigures,
  toRow,
  type Figures,
  type Round,
} from '../measure/measure-load.ts';
import { readRssBytes } from '../measure/processes.ts';
import type { BenchOptions } from '../options.ts';
import { startTarget } from '../targets/start-targets.ts';
import type { Target } from '../targets/target.ts';
import { callVerdicts } from './call-verdicts.ts';
import type { BenchPorts, Scenario } from './scenario.ts';

/** One target, one era, one number of calls in flight; what each round came to. */
interface Point {
  readonly target: Target;
  readonly era: Era;
  readonly inFlight: number;
  readonly rounds: Round[];
}

export interface PointFigures extends Figures {
  readonly target: string;
  readonly era: Era;
  readonly inFlight: number;
  readonly rssMb: number;
}

const warmUpInFlight = 16;
/** Code is fast once it has run often, which on a busy machine takes longer than was asked for. */
const warmUpCalls = 20_000;
const mostWarmUps = 5;

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
    const figures = await Promise.all(points.map(figuresOf));
    const rows = figures.map(({ target, era, inFlight, rssMb, ...rest }) => ({
      target,
      era,
      'in flight': String(inFlight),
      'RSS MB': rssMb,
      ...toRow(rest),
    }));
    return { rows, figures, verdicts: callVerdicts(figures) };
  },
};

async function warmUp(
  target: Target,
  options: BenchOptions,
  { client, say }: BenchPorts,
): Promise<void> {
  const eras = target.eras.filter((era) => options.eras.includes(era));
  for (const era of eras) {
    say(`Warming up ${target.name}, ${era}`);
    const seconds = options.warmUpSeconds / eras.length;
    const load = { ...loadOf(target, era, warmUpInFlight), seconds };
    let made = 0;
    for (let i = 0; i < mostWarmUps && made < warmUpCalls; i += 1) {
      made += (await client.run(load)).calls;
    }
  }
}

function pointsOf(target: Target, { eras, concurrency }: BenchOptions): readonly Point[] {
  return target.eras
    .filter((era) => eras.includes(era))
    .flatMap((era) => concurrency.map((inFlight) => ({ target, era, inFlight, rounds: [] })));
}

function measure(
  { target, era, inFlight }: Point,
  { seconds }: BenchOptions,
  { client }: BenchPorts,
): Promise<Round> {
  const load = { ...loadOf(target, era, inFlight), seconds };
  return measureLoad(client, target.processes, load);
}

function loadOf({ url, echo, access }: Target, era: Era, connections: number) {
  return { url, era, call: echo, connections, ...access };
}

async function figuresOf({ target, era, inFlight, rounds }: Point): Promise<PointFigures> {
  const rss = await Promise.all(target.processes.map(({ pid }) => readRssBytes(pid)));
  const rssMb = rss.reduce((sum, bytes) => sum + bytes, 0) / 2 ** 20;
  return { target: target.name, era, inFlight, rssMb, ...toFigures(rounds) };
}

function nameOf({ target, era, inFlight }: Point): string {
  return `${target.name}, ${era}, ${inFlight} in flight`;
}
