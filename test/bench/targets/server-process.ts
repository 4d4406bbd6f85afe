/** Starts a peer's process and waits until it listens. */
import { fork, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { findFreePort } from '../../../deploy/local/ports.ts';

export interface ServerProcess {
  readonly pid: number;
  readonly port: number;
  close(): Promise<void>;
}

const startTimeoutMs = 20_000;
const retryMs = 50;

/** For a server of ours: it says its port over IPC, as `{ port }`. */
export async function startOwnServer(script: string): Promise<ServerProcess> {
  const child = fork(script, { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
  const ended = once(child, 'exit').then(() => undefined);
  const said = await Promise.race([once(child, 'message'), ended]);
  if (!said) throw new Error(`${script} did not start`);
  return { ...running(child), port: (said[0] as { readonly port: number }).port };
}

/** For a program that takes its port as an argument: `$port` stands for it. */
export async function startProgram(
  script: string,
  args: readonly string[],
): Promise<ServerProcess> {
  const port = await findFreePort();
  const filled = args.map((each) => each.replace('$port', String(port)));
  const child = spawn(process.execPath, [script, ...filled], { stdio: 'ignore' });
  const until = Date.now() + startTimeoutMs;
  while (!(await isAnswered(port))) {
    if (child.exitCode !== null || Date.now() > until) {
      child.kill('SIGKILL');
      throw new Error(`${script} did not start`);
    }
    await sleep(retryMs);
  }
  return { ...running(child), port };
}

function running(child: ChildProcess): Omit<ServerProcess, 'port'> {
  return {
    pid: child.pid ?? 0,
    async close() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const exited = once(child, 'exit');
      child.kill('SIGTERM');
      const killer = setTimeout(() => child.kill('SIGKILL'), 5_000);
      await exited;
      clearTimeout(killer);
    },
  };
}

async function isAnswered(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1');
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}
