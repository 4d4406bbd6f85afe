/**
 * One log line for each piece of work: what it was, how long it took, how it ended. For whoever debugs,
 * unless it failed for a reason that is ours.
 */
import { performance } from 'node:perf_hooks';
import type { Interceptor } from './intercept.ts';
import type { Log } from './log.ts';

export interface Observation<Input, Output> {
  readonly name: string;
  /** Chooses what is recorded of the input. Never arguments, tokens or results. */
  readonly describe: (input: Input) => Readonly<Record<string, unknown>>;
  /** The fault in a result, if it carries one, and what caused it. */
  readonly outcomeOf: (output: Output) => {
    readonly outcome: string;
    readonly cause?: unknown;
  };
}

export function observe<Input, Output>(
  log: Log,
  { name, describe, outcomeOf }: Observation<Input, Output>,
): Interceptor<Input, Output> {
  return (next) => async (input) => {
    const started = performance.now();
    const ms = (): number => Math.round((performance.now() - started) * 10) / 10;
    try {
      const output = await next(input);
      const { outcome, cause } = outcomeOf(output);
      const line = { ...describe(input), outcome, ms: ms() };
      if (cause === undefined) log.debug(line, name);
      else log.error({ ...line, err: cause }, name);
      return output;
    } catch (error) {
      log.error({ ...describe(input), outcome: 'threw', ms: ms(), err: error }, name);
      throw error;
    }
  };
}
