/** When calls ran, as the workers' logs tell it. */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

export interface Interval {
  readonly id: string;
  readonly tenant: string;
  readonly startMs: number;
  readonly endMs: number;
  readonly outcome: string;
}

/** Log times are whole milliseconds, so that an interval may seem to begin up to two early. */
const roundingMs = 2;

export async function readIntervals(logDir: string, tenant: string): Promise<Interval[]> {
  const files = (await readdir(logDir)).filter((file) => file.startsWith('worker-'));
  const texts = await Promise.all(files.map((file) => readFile(join(logDir, file), 'utf8')));
  return texts
    .flatMap((text) => text.split('\n'))
    .filter((line) => line.includes('"msg":"invocation"'))
    .map((line) => JSON.parse(line) as Record<string, string & number>)
    .filter((line) => line['tenant'] === tenant)
    .map((line) => {
      const endMs = Date.parse(line['time'] ?? '');
      return {
        id: line['id'] ?? '',
        tenant,
        startMs: endMs - (line['ms'] ?? 0) + roundingMs,
        endMs,
        outcome: line['outcome'] ?? '',
      };
    });
}

/** The most intervals that cover one instant. */
export function mostAtOnce(intervals: readonly Interval[]): number {
  const edges = intervals
    .filter(({ startMs, endMs }) => startMs < endMs)
    .flatMap(({ startMs, endMs }) => [
      { at: startMs, step: 1 },
      { at: endMs, step: -1 },
    ])
    .sort((a, b) => a.at - b.at || a.step - b.step);
  let now = 0;
  let most = 0;
  for (const { step } of edges) {
    now += step;
    most = Math.max(most, now);
  }
  return most;
}

export const logsOf = ({ dataDir }: { readonly dataDir: string }): string => join(dataDir, 'logs');
