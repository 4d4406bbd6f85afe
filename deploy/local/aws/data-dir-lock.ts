/**
 * One process per data directory. The lock file names its holder by process id and start time,
 * so that neither a crash nor a reused process id keeps the directory locked.
 */
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/**
 * Resolves the release of the lock.
 * @throws if another living process holds the directory.
 */
export function lockDataDir(dataDir: string): () => void {
  const path = join(dataDir, 'lock');
  const mine = JSON.stringify({ pid: process.pid, started: startTime(process.pid) });
  for (let attempt = 0; ; attempt += 1) {
    try {
      writeFileSync(path, mine, { flag: 'wx', mode: 0o600 });
      return () => {
        if (readText(path) === mine) rmSync(path, { force: true });
      };
    } catch (cause) {
      const holder = livingHolder(readText(path));
      if (holder !== undefined || attempt > 0) {
        throw new Error(
          `Data directory ${dataDir} is in use by process ${holder ?? 'unknown'}. Stop it, or choose another directory.`,
          { cause },
        );
      }
      rmSync(path, { force: true });
    }
  }
}

function livingHolder(text: string): number | undefined {
  const [, digits, started] = /^\{"pid":(\d+),"started":"(\d*)"\}$/.exec(text) ?? [];
  if (digits === undefined) return undefined;
  const pid = Number(digits);
  try {
    process.kill(pid, 0);
  } catch (error) {
    const isForeign = error instanceof Error && 'code' in error && error.code === 'EPERM';
    if (!isForeign) return undefined;
  }
  return startTime(pid) === started ? pid : undefined;
}

/** Clock ticks since boot at which the process began; empty where /proc does not tell. */
function startTime(pid: number): string {
  const stat = readText(`/proc/${pid}/stat`);
  // The second field is the command in parentheses and may hold spaces; the start time is the 22nd.
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? '';
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
