/**
 * One process per data directory. The lock file names its holder by process id and start time,
 * so that neither a crash nor a reused process id keeps the directory locked.
 */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/**
 * Makes the directory if need be, takes it, and returns its release.
 * @throws if another living process holds the directory.
 */
export function lockDataDir(dataDir: string): () => void {
  mkdirSync(dataDir, { recursive: true, mode: 0o700 });
  const path = join(dataDir, 'lock');
  const mine = JSON.stringify({ pid: process.pid, started: startTime(process.pid) });
  for (let attempt = 0; ; attempt += 1) {
    try {
      writeFileSync(path, mine, { flag: 'wx', mode: 0o600 });
      return () => {
        if (readText(path) === mine) rmSync(path, { force: true });
      };
    } catch (cause) {
      if (!hasCode(cause, 'EEXIST')) throw cause;
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
    // Another user's process may not be signalled, yet lives.
    if (!hasCode(error, 'EPERM')) return undefined;
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

function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}
