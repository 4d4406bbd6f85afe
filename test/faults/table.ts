/** What the run prints at its end: one line for each fault. */
import type { Growth } from './memory.ts';
import type { StretchVerdict } from './verdict.ts';

export type Row = StretchVerdict & { readonly growth: Growth };

const columns: Readonly<Record<string, (row: Row) => string | number>> = {
  fault: (row) => row.fault,
  calls: (row) => row.calls,
  ok: (row) => row.ok,
  admitted: (row) => row.admitted,
  settled: (row) => row.settled,
  duplicates: (row) => row.duplicates.length,
  'over-cap ms': (row) => row.overCapMs,
  'recovery ms': (row) => row.recoveryMs,
  'quiet p99 ms': (row) => row.quietP99Ms,
  'Redis MiB': ({ growth }) => signed(growth.redis),
  'heap MiB': ({ growth }) => signed(growth.heap),
  'RSS MiB': ({ growth }) => signed(growth.resident),
  others: (row) => row.others,
};

export function toTable(rows: readonly Row[]): string {
  const lines = [
    Object.keys(columns),
    ...rows.map((row) => Object.values(columns).map((read) => String(read(row)))),
  ];
  const widths = Object.keys(columns).map((_, i) =>
    Math.max(...lines.map((line) => line[i]?.length ?? 0)),
  );
  return lines
    .map((line) =>
      line
        .map((cell, i) => cell.padEnd(widths[i] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

const signed = (mib: number): string => (mib > 0 ? `+${mib}` : `${mib}`);
