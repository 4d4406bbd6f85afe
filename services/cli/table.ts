/** Results for people and for machines. */

export type Row = Readonly<Record<string, string | number>>;

/** Aligned columns under the names of the fields, in the order of the first row. */
export function toTable(rows: readonly Row[]): string {
  const columns = Object.keys(rows[0] ?? {});
  const cells = [
    columns.map((column) => column.toUpperCase()),
    ...rows.map((row) => columns.map((column) => String(row[column] ?? ''))),
  ];
  const widths = columns.map((_, at) => Math.max(...cells.map((line) => line[at]?.length ?? 0)));
  return cells
    .map((line) =>
      line
        .map((cell, at) => cell.padEnd(widths[at] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

/** A table, or JSON where machines read. An empty table says `none`. */
export function render(
  rows: readonly Row[],
  options: { readonly json?: boolean },
  none: string,
): string {
  if (options.json) return JSON.stringify(rows, undefined, 2);
  return rows.length === 0 ? none : toTable(rows);
}
