/** What Linux says about a process, ours or a peer's: CPU and memory, without its help. */
import { readdir, readFile } from 'node:fs/promises';

export interface Watched {
  readonly name: string;
  readonly pid: number;
}

/** Linux counts CPU in hundredths of a second, whatever the kernel's own tick. */
const usPerTick = 10_000;
const ppidField = 1;
const cpuFields = [11, 12, 13, 14];

/** User and system time since its start, with that of children that have ended. */
async function readCpuUs(pid: number): Promise<number> {
  const fields = await readStat(pid);
  return cpuFields.reduce((sum, field) => sum + Number(fields[field] ?? 0) * usPerTick, 0);
}

export async function readRssBytes(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1] ?? 0) * 1_024;
}

/** Direct children, oldest first. */
export async function readChildren(pid: number): Promise<readonly number[]> {
  const all = (await readdir('/proc')).filter((name) => /^\d+$/.test(name)).map(Number);
  const parents = await Promise.all(
    all.map(async (each) => (await readStat(each).catch(() => []))[ppidField]),
  );
  return all.filter((_, i) => Number(parents[i]) === pid);
}

/** CPU that each process used while `work` ran. */
export async function withCpu<Result>(
  processes: readonly Watched[],
  work: () => Promise<Result>,
): Promise<{ readonly result: Result; readonly cpuUs: Readonly<Record<string, number>> }> {
  const before = await Promise.all(processes.map(({ pid }) => readCpuUs(pid)));
  const result = await work();
  const after = await Promise.all(processes.map(({ pid }) => readCpuUs(pid)));
  const spent = processes.map(({ name }, i) => [name, (after[i] ?? 0) - (before[i] ?? 0)] as const);
  return { result, cpuUs: Object.fromEntries(spent) };
}

/** The fields of /proc/<pid>/stat behind the name, which may hold anything: state is the first. */
async function readStat(pid: number): Promise<readonly string[]> {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8');
  return text.slice(text.lastIndexOf(')') + 2).split(' ');
}
