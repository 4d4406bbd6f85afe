/** A table that a screen reader can announce, and that scrolls by itself where it is too wide. */
import type { ComponentChildren } from 'preact';

export interface Column {
  readonly name: ComponentChildren;
  readonly isNumber?: boolean;
  /** Holds buttons; its name is for the ear alone. */
  readonly isActions?: boolean;
  readonly sort?: 'ascending' | 'descending' | undefined;
}

export interface TableRow {
  readonly key: string;
  readonly cells: readonly ComponentChildren[];
}

interface TableProps {
  readonly caption: string;
  readonly columns: readonly Column[];
  readonly rows: readonly TableRow[];
  /** Said instead of an empty table. */
  readonly none: string;
  readonly isCaptionHidden?: boolean;
}

export function Table({ caption, columns, rows, none, isCaptionHidden = false }: TableProps) {
  if (rows.length === 0) {
    return (
      <section class="card">
        <h2 class={isCaptionHidden ? 'hidden' : ''}>{caption}</h2>
        <p class="none">{none}</p>
      </section>
    );
  }
  const kind = (at: number): string =>
    columns[at]?.isNumber ? 'number' : columns[at]?.isActions ? 'actions' : '';
  return (
    // The region can be scrolled by keyboard.
    <div class="table" role="region" aria-label={caption} tabIndex={0}>
      <table>
        <caption class={isCaptionHidden ? 'hidden' : ''}>{caption}</caption>
        <thead>
          <tr>
            {columns.map(({ name, sort, isActions }, at) => (
              <th key={at} scope="col" class={kind(at)} {...(sort && { 'aria-sort': sort })}>
                {isActions ? <span class="hidden">{name}</span> : name}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map(({ key, cells }) => (
            <tr key={key}>
              {cells.map((cell, at) =>
                at === 0 ? (
                  <th key={at} scope="row" class={kind(at)}>
                    {cell}
                  </th>
                ) : (
                  <td key={at} class={kind(at)}>
                    {cell}
                  </td>
                ),
              )}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
