/** One question that the bench answers, and how it is answered. */
import type { BenchOptions } from '../options.ts';
import type { LoadClient } from '../load/start-client.ts';
import type { Row } from '../measure/table.ts';

export interface Scenario {
  readonly name: string;
  run(options: BenchOptions, ports: BenchPorts): Promise<Outcome>;
}

export interface BenchPorts {
  readonly client: LoadClient;
  /** Hears what is done next. */
  readonly say: (text: string) => void;
}

export interface Outcome {
  /** For people. */
  readonly rows: readonly Row[];
  /** For programs. */
  readonly figures: unknown;
  readonly verdicts: readonly Verdict[];
}

/** One figure that must be reached. */
export interface Verdict {
  readonly what: string;
  readonly wanted: string;
  readonly got: string;
  readonly reached: boolean;
}

export function atMost(what: string, got: number, most: number, unit = ''): Verdict {
  return { what, wanted: `≤ ${most}${unit}`, got: `${show(got)}${unit}`, reached: got <= most };
}

export function atLeast(what: string, got: number, least: number, unit = ''): Verdict {
  return { what, wanted: `≥ ${least}${unit}`, got: `${show(got)}${unit}`, reached: got >= least };
}

function show(value: number): string {
  return Number(value.toPrecision(3)).toString();
}
