/**
 * How many calls a process answers, and how fast: numbers that only grow, so that whoever reads
 * them twice knows what happened between. Latencies are counted in steps of about a fifth.
 */
const step = 1.2;
/** Up to a quarter of an hour. */
const steps = 76;

export interface Pace {
  /** The same work, each run of which is counted. */
  measure<Input, Output>(
    work: (input: Input) => Promise<Output>,
  ): (input: Input) => Promise<Output>;
  read(): { readonly calls: number; readonly latencies: readonly number[] };
}

export function createPace(): Pace {
  const latencies = Array.from({ length: steps }, () => 0);
  let calls = 0;
  return {
    measure: (work) => async (input) => {
      const begun = performance.now();
      try {
        return await work(input);
      } finally {
        const at = stepOf(performance.now() - begun);
        latencies[at] = (latencies[at] ?? 0) + 1;
        calls += 1;
      }
    },
    read: () => ({ calls, latencies: [...latencies] }),
  };
}

function stepOf(ms: number): number {
  return Math.min(steps - 1, Math.max(0, Math.ceil(Math.log(Math.max(ms, 1)) / Math.log(step))));
}

/** Ms below which that share of the counted calls was answered; undefined without any. */
export function quantile(latencies: readonly number[], share: number): number | undefined {
  const total = latencies.reduce((sum, count) => sum + count, 0);
  if (total === 0) return undefined;
  let seen = 0;
  const at = latencies.findIndex((count) => (seen += count) >= share * total);
  return Math.round(step ** at * 10) / 10;
}
