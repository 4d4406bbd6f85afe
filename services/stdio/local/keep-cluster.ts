/**
 * The process that keeps a local cluster for stdio processes: it starts one, as `mesh up` does,
 * tells each of them over its connection where, and stops it once the last one has gone. It is no
 * child of any of them, so that each may end when it likes.
 */
import type { Socket } from 'node:net';
import { join } from 'node:path';
import { runUp } from '../../../deploy/local/up.ts';
import { readUpFile } from '../../../deploy/local/up-file.ts';
import { meetingPointOf, open } from './meeting-point.ts';

export interface KeepClusterOptions {
  readonly dataDir: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
}

/** A client's probe is often gone before the client itself comes. */
const lingerMs = 2_000;
const firstUserMs = 10_000;

const lookEveryMs = 25;

/** Resolves once the cluster has stopped, or at once if another process keeps it already. */
export async function keepCluster({ dataDir, environment }: KeepClusterOptions): Promise<void> {
  const users = new Set<Socket>();
  let state: 'starting' | 'serving' | 'stopping' = 'starting';
  let said = '';
  let timer = setTimeout(stop, firstUserMs);

  function stop(): void {
    state = 'stopping';
    process.emit('SIGTERM', 'SIGTERM');
  }

  const server = await open(await meetingPointOf(dataDir), (socket) => {
    clearTimeout(timer);
    users.add(socket);
    socket.on('error', () => undefined);
    socket.on('close', () => {
      users.delete(socket);
      if (users.size > 0 || state === 'stopping') return;
      clearTimeout(timer);
      timer = setTimeout(stop, lingerMs);
    });
    // While it stops nobody is told anything: they wait for our end and look again.
    if (state === 'serving') socket.write(said);
    socket.resume();
  });
  if (!server) {
    clearTimeout(timer);
    return;
  }

  const tell = (text: string): void => {
    said = `${text}\n`;
    for (const socket of users) socket.write(said);
  };
  const announce = async (): Promise<void> => {
    const up = await untilUp(join(dataDir, 'up.json'), () => state === 'starting');
    if (state !== 'starting' || up === undefined) return;
    state = 'serving';
    tell(JSON.stringify({ up }));
  };

  // An old file goes when the folder is opened; before that it would be taken for ours.
  const running = runUp(
    { dataDir, environment, ingresses: 1, workers: 1, aws: 'local', tenants: [] },
    print,
  );
  try {
    void announce();
    await running;
  } catch (cause) {
    const message = cause instanceof Error ? cause.message : String(cause);
    print(`error: ${message}`);
    if (state === 'starting') tell(JSON.stringify({ error: message }));
    process.exitCode = 1;
  } finally {
    state = 'stopping';
    clearTimeout(timer);
    server.close();
    for (const socket of users) socket.destroySoon();
  }
}

/** Its file exists while, and only while, calls are answered. */
async function untilUp(file: string, isWanted: () => boolean): Promise<unknown> {
  while (isWanted()) {
    const up = await readUpFile(file).catch(() => undefined);
    if (up?.ingresses[0] && isAlive(up.ingresses[0].pid)) return up;
    await new Promise((resolve) => setTimeout(resolve, lookEveryMs));
  }
  return undefined;
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}
