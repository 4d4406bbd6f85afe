/** Runs checks one after the other, says each result in a line, and counts. */
import { explainError } from '../explain-error.ts';
import { failed, type Check, type Finding } from './check.ts';

export type Counts = Readonly<Record<Finding['status'], number>>;

/** Words beside the signs, for whoever cannot see or search for those. */
const signs = { ok: '✓ ok     ', warning: '! warning', failed: '✗ failed ' } as const;

export async function examine(
  checks: readonly Check[],
  print: (line: string) => void,
): Promise<Counts> {
  const counts = { ok: 0, warning: 0, failed: 0 };
  for (const { name, run } of checks) {
    const { status, detail, mend } = await run().catch((error: unknown) =>
      failed(explainError(error), 'The check itself could not be made.'),
    );
    counts[status] += 1;
    print(`${signs[status]}  ${name}: ${detail}${mend === undefined ? '' : ` → ${mend}`}`);
  }
  return counts;
}

export const summary = ({ ok, warning, failed: failures }: Counts): string =>
  `${ok} ok, ${warning} ${warning === 1 ? 'warning' : 'warnings'}, ${failures} failed`;
