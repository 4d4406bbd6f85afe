/**
 * One process of the local cluster. It runs in its own process group, so that a terminal's Ctrl-C
 * does not reach it before its turn, and has an IPC channel, whose end tells it that we are gone.
 * It says over that channel when it is ready. What it logs goes to a file.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { open, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { SetupError } from './setup-error.ts';

export interface ChildOptions<Ready extends z.ZodType> {
  /** For people, and of the log file: `worker-0`. */
  readonly name: string;
  /** Relative to the project. */
  readonly script: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly logDir: string;
  /** The message that says it is ready. Others are ignored. */
  readonly ready: Ready;
}

export interface Child<Ready = unknown> {
  readonly name: string;
  readonly pid: number;
  readonly ready: Ready;
  /** Resolves with `code 1` or `SIGKILL` once the process is gone. */
  readonly ended: Promise<string>;
  /** Asks it to stop and waits. False if it had to be killed, which happens after `timeoutMs`. */
  stop(timeoutMs: number): Promise<boolean>;
}

const root = join(import.meta.dirname, '../..');
const startTimeoutMs = 30_000;

/** @throws {SetupError} with the last words of its log if it ends or stays silent instead of getting ready. */
export async function startChild<Ready extends z.ZodType>(
  options: ChildOptions<Ready>,
): Promise<Child<z.output<Ready>>> {
  const { name } = options;
  const logFile = join(options.logDir, `${name}.log`);
  const log = await open(logFile, 'w');
  const child = spawn(process.execPath, [join(root, options.script)], {
    env: options.environment,
    detached: true,
    stdio: ['ignore', log.fd, log.fd, 'ipc'],
  });
  await log.close();

  const ended = once(child, 'exit').then(
    ([code, signal]: unknown[]) => (typeof signal === 'string' ? signal : `code ${String(code)}`),
    (error: unknown) => String(error),
  );
  const outcome = await Promise.race([
    untilReady(child, options.ready),
    ended.then((how) => ({ problem: `ended with ${how}` })),
    untilLate(),
  ]);
  if ('problem' in outcome) {
    child.kill('SIGKILL');
    const said = await lastWords(logFile);
    throw new SetupError(`${name} did not start: ${said ?? outcome.problem} (see ${logFile})`);
  }

  return {
    name,
    pid: child.pid ?? 0,
    ready: outcome.ready,
    ended,
    async stop(timeoutMs) {
      child.kill('SIGTERM');
      const killer = setTimeout(() => child.kill('SIGKILL'), timeoutMs);
      await ended;
      clearTimeout(killer);
      return child.signalCode !== 'SIGKILL';
    },
  };
}

function untilReady<Ready extends z.ZodType>(
  child: NodeJS.EventEmitter,
  schema: Ready,
): Promise<{ readonly ready: z.output<Ready> }> {
  return new Promise((resolve) => {
    child.on('message', (message) => {
      const parsed = schema.safeParse(message);
      if (parsed.success) resolve({ ready: parsed.data });
    });
  });
}

function untilLate(): Promise<{ readonly problem: string }> {
  return new Promise((resolve) => {
    const problem = `not ready within ${startTimeoutMs} ms`;
    setTimeout(() => resolve({ problem }), startTimeoutMs).unref();
  });
}

/** The last thing that a log says: the message of one of our JSON lines, or of a crash. */
async function lastWords(file: string): Promise<string | undefined> {
  const lines = (await readFile(file, 'utf8')).trimEnd().split('\n');
  const crash = lines.findLast((line) => /^\S*Error\b/.test(line));
  const line = crash ?? lines.at(-1);
  if (line === undefined || line === '') return undefined;
  try {
    const entry = LogEntry.parse(JSON.parse(line));
    return [entry.msg, entry.err?.message].filter(Boolean).join(': ');
  } catch {
    return line;
  }
}

const LogEntry = z.object({
  msg: z.string(),
  err: z.object({ message: z.string() }).optional(),
});
