/** The nearest-rank percentile: a value that was seen. NaN if nothing was. */
export function percentile(values: Iterable<number>, percent: number): number {
  const sorted = Float64Array.from(values).sort();
  const rank = Math.ceil((percent / 100) * sorted.length);
  return sorted[Math.max(rank, 1) - 1] ?? Number.NaN;
}

export function median(values: Iterable<number>): number {
  return percentile(values, 50);
}
