/** A Redis whose settings and end a test decides: for restarts on the same port, and for cluster mode. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { findRedis } from '../../deploy/local/find-redis.ts';
import { findFreePort } from '../../deploy/local/ports.ts';
import { makeTempDir } from '../support/temp-dir.ts';

export interface OwnRedis extends AsyncDisposable {
  readonly url: string;
  /** Where its append-only file is. */
  readonly folder: string;
  /** Starts it on the same port and data as before. Resolves once it accepts connections. */
  start(): Promise<void>;
  /** Resolves once it is gone, without having been asked for its consent. */
  kill(): Promise<void>;
  signal(signal: 'SIGSTOP' | 'SIGCONT'): void;
}

export async function startOwnRedis(...settings: readonly string[]): Promise<OwnRedis> {
  const program = await findRedis({ path: process.env['PATH'] ?? '', onStep: () => undefined });
  if (program.kind !== 'program') throw new Error('This test needs redis-server on PATH');
  const folder = await makeTempDir();
  const port = await findFreePort();
  const args = ['--bind', '127.0.0.1', '--port', `${port}`, '--dir', folder.path, '--save', ''];

  const spawnServer = () =>
    spawn(program.path, [...args, '--appendonly', 'yes', '--appendfsync', 'always', ...settings], {
      stdio: ['ignore', 'pipe', 'ignore'],
    });
  let server: ReturnType<typeof spawnServer> | undefined;
  const end = (): void => void server?.kill('SIGKILL');
  process.once('exit', end);

  const redis: OwnRedis = {
    url: `redis://127.0.0.1:${port}`,
    folder: folder.path,
    async start() {
      server = spawnServer();
      for await (const line of createInterface({ input: server.stdout })) {
        if (line.includes('Ready to accept connections')) break;
      }
      server.stdout.resume();
    },
    async kill() {
      if (!server || server.exitCode !== null || server.signalCode !== null) return;
      const gone = once(server, 'exit');
      server.kill('SIGKILL');
      await gone;
    },
    signal: (signal) => void server?.kill(signal),
    async [Symbol.asyncDispose]() {
      await redis.kill();
      process.off('exit', end);
      await folder[Symbol.asyncDispose]();
    },
  };
  await redis.start();
  return redis;
}
