/** Counts what comes back: how long it took, and whether it was right. */
import { percentile } from '../measure/percentile.ts';
import { problemOf } from './check-answer.ts';
import type { Load, Measured, Sample } from './load.ts';
import type { Answer } from './read-answer.ts';

export interface InFlight {
  readonly id: number;
  /** By `performance.now()`. */
  readonly sentAt: number;
}

export interface Tally {
  answered(call: InFlight, answer: Answer): void;
  /** So many were never answered. */
  lost(calls: number): void;
  measured(seconds: number): Measured;
}

const keptProblems = 3;

export function createTally({ call, keepSamples = false }: Load): Tally {
  const latencies: number[] = [];
  const samples: Sample[] = [];
  const problems: string[] = [];
  let errors = 0;

  function fail(problem: string): void {
    errors += 1;
    if (problems.length < keptProblems) problems.push(problem);
  }

  return {
    answered({ id, sentAt }, answer) {
      const ms = performance.now() - sentAt;
      latencies.push(ms);
      if (keepSamples) samples.push({ at: performance.timeOrigin + sentAt, ms });
      const problem = problemOf(answer, id, call.text);
      if (problem !== undefined) fail(problem);
    },
    lost(calls) {
      for (let i = 0; i < calls; i += 1) fail('connection lost');
    },
    measured: (seconds) => ({
      calls: latencies.length,
      errors,
      problems,
      seconds,
      callsPerSecond: Math.max(latencies.length - errors, 0) / seconds,
      p50Ms: percentile(latencies, 50),
      p99Ms: percentile(latencies, 99),
      maxMs: percentile(latencies, 100),
      samples,
    }),
  };
}
