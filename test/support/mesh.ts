/** The cli as people run it: through the bootstrap, as a process of its own. */
import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, vi } from 'vitest';
import { assertFree, findFreePort } from '../../deploy/local/ports.ts';
import { readUpFile, type UpFile } from '../../deploy/local/up-file.ts';
import { makeTempDir, type TempDir } from './temp-dir.ts';

const run = promisify(execFile);
const root = join(import.meta.dirname, '../..');
const bootstrap = join(root, 'deploy/local/bootstrap.mjs');
const startTimeoutMs = 30_000;
/** Two for each of two ingresses. */
const portsPerUp = 4;

export interface Outcome {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Whoever runs the tests may have a cluster of their own in their environment. */
function environment(): NodeJS.ProcessEnv {
  const { REDIS_URL: _, npm_execpath: __, ...rest } = process.env;
  return Object.fromEntries(Object.entries(rest).filter(([name]) => !name.startsWith('AWS_')));
}

/** Runs one command to its end. */
export async function mesh(...args: readonly string[]): Promise<Outcome> {
  const child = spawn(process.execPath, [bootstrap, 'services/cli/main.ts', ...args], {
    env: environment(),
  });
  const output = collect(child);
  const [code] = await once(child, 'close');
  return { code: typeof code === 'number' ? code : null, ...output() };
}

export interface RunningUp {
  /** The bootstrap, or the shell in front of it. */
  readonly child: ChildProcess;
  readonly up: UpFile;
  readonly port: number;
  readonly output: () => { readonly stdout: string; readonly stderr: string };
  /** Every process that belongs to it, the first one included. */
  pids(): Promise<readonly number[]>;
}

/** `mesh up` on a free port, once it says that it is ready. */
export async function startUp(
  dataDir: string,
  options: { readonly inShell?: boolean; readonly args?: readonly string[] } = {},
): Promise<RunningUp> {
  const port = await findFreePorts(portsPerUp);
  const args = [
    bootstrap,
    'services/cli/main.ts',
    'up',
    `--port=${port}`,
    `--data=${dataDir}`,
    ...(options.args ?? []),
  ];
  // The shell stays in front, as it may under npm.
  const child = options.inShell
    ? spawn('/bin/sh', ['-c', '"$@"; exit $?', 'sh', process.execPath, ...args], {
        env: environment(),
      })
    : spawn(process.execPath, args, { env: environment() });
  const output = collect(child);
  const upFile = join(dataDir, 'up.json');
  const up = await Promise.race([
    vi.waitFor(() => readUpFile(upFile), { timeout: startTimeoutMs, interval: 25 }),
    once(child, 'exit').then(() => Promise.reject(new Error(`ended: ${output().stderr}`))),
  ]);
  return { child, up, port, output, pids: () => descendants(child.pid ?? 0) };
}

/** One `mesh up` for all tests of a file: started before them, asked to stop after them. */
export function useUp(...args: readonly string[]): { readonly data: string; readonly up: UpFile } {
  let folder: TempDir | undefined;
  let running: RunningUp | undefined;
  const started = <Value>(value: Value | undefined): Value => {
    if (value === undefined) throw new Error('Not started yet');
    return value;
  };

  beforeAll(async () => {
    folder = await makeTempDir();
    running = await startUp(folder.path, { args });
  });
  afterAll(async () => {
    if (running) {
      const ended = once(running.child, 'exit');
      running.child.kill('SIGTERM');
      await ended;
    }
    await folder?.[Symbol.asyncDispose]();
  });
  return {
    get data() {
      return started(folder).path;
    },
    get up() {
      return started(running).up;
    },
  };
}

/** The first of so many free ports in a row. */
async function findFreePorts(length: number): Promise<number> {
  for (;;) {
    const first = await findFreePort();
    const ports = Array.from({ length }, (_, index) => first + index);
    const free = await assertFree(ports).then(
      () => true,
      () => false,
    );
    if (free) return first;
  }
}

function collect(child: ChildProcess): () => { readonly stdout: string; readonly stderr: string } {
  let stdout = '';
  let stderr = '';
  child.stdout?.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
  child.stderr?.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
  return () => ({ stdout, stderr });
}

/** Of those, the ones that still run: a process that nobody has reaped yet does not. */
export async function stillRunning(pids: readonly number[]): Promise<readonly number[]> {
  const running = new Set((await listProcesses()).map(({ pid }) => pid));
  return pids.filter((pid) => running.has(pid));
}

async function descendants(root: number): Promise<readonly number[]> {
  const processes = await listProcesses();
  const found = [root];
  for (const pid of found) {
    found.push(...processes.filter(({ parent }) => parent === pid).map((each) => each.pid));
  }
  return found;
}

async function listProcesses(): Promise<readonly { pid: number; parent: number }[]> {
  const { stdout } = await run('ps', ['-e', '-o', 'pid=,ppid=,stat=']);
  return stdout
    .trim()
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .filter(([, , state]) => !state?.startsWith('Z'))
    .map(([pid, parent]) => ({ pid: Number(pid), parent: Number(parent) }));
}
