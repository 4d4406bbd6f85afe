/**
 * A private Redis: a child on a free loopback port, with a password and an append-only file, so
 * that what is queued survives. It stops when this process ends, however that happens.
 */
import { randomBytes } from 'node:crypto';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdir } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import type { RedisProgram } from './find-redis.ts';
import { findFreePort } from './ports.ts';
import { SetupError } from './setup-error.ts';

export interface PrivateRedis {
  /** Holds the password. */
  readonly url: string;
  readonly pid: number;
  /** Resolves with what Redis said last, once it has ended for whatever reason. */
  readonly ended: Promise<string>;
  close(): Promise<void>;
}

export interface RedisOptions {
  readonly program: RedisProgram;
  readonly dataDir: string;
  /** `always` loses nothing in a power failure; `everysec` at most the last second. */
  readonly appendfsync?: 'everysec' | 'always';
}

const startTimeoutMs = 60_000;
const stopTimeoutMs = 10_000;
/** A free port may be taken by another before Redis binds it. */
const attempts = 3;
const dockerImage = 'redis:7-alpine';

/**
 * Becomes Redis. A watcher stays behind on descriptor 3: once that closes without a line, whoever
 * started us is gone, and Redis has to go too. The configuration comes on standard input, so that
 * the password shows in no list of processes.
 */
const supervised = '(read -r _ <&3 || kill -TERM $$) >/dev/null 2>&1 & exec 3<&-; exec "$@"';

/** @throws {SetupError} */
export async function startRedis(options: RedisOptions): Promise<PrivateRedis> {
  await mkdir(options.dataDir, { recursive: true });
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await startOnce(options);
    } catch (error) {
      const portTaken = error instanceof Error && error.message.includes('ddress already in use');
      if (!portTaken || attempt === attempts) throw error;
    }
  }
}

async function startOnce(options: RedisOptions): Promise<PrivateRedis> {
  const port = await findFreePort();
  const password = randomBytes(24).toString('base64url');
  const command = toCommand(options, port);
  const child = spawn('/bin/sh', ['-c', supervised, 'redis', ...command], {
    detached: true,
    stdio: ['pipe', 'pipe', 'pipe', 'pipe'],
  });
  const { ready, ended } = follow(child);
  child.stdin?.on('error', () => undefined);
  child.stdin?.end(toConfiguration(options, port, password));

  let timer: NodeJS.Timeout | undefined;
  const tooLong = new Promise<'slow'>((resolve) => {
    timer = setTimeout(() => resolve('slow'), startTimeoutMs);
  });
  const outcome = await Promise.race([ready, ended.then((said) => ({ said })), tooLong]);
  clearTimeout(timer);
  if (outcome !== 'ready') {
    child.kill('SIGKILL');
    const reason = outcome === 'slow' ? `not ready within ${startTimeoutMs} ms` : outcome.said;
    throw new SetupError(`Redis did not start in ${options.dataDir}: ${reason}`);
  }
  return {
    url: `redis://:${password}@127.0.0.1:${port}`,
    pid: child.pid ?? 0,
    ended,
    async close() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const exited = once(child, 'exit');
      child.kill('SIGTERM');
      const killer = setTimeout(() => child.kill('SIGKILL'), stopTimeoutMs);
      await exited;
      clearTimeout(killer);
    },
  };
}

function toCommand({ program, dataDir }: RedisOptions, port: number): readonly string[] {
  if (program.kind === 'program') return [program.path, '-'];
  const docker = `run --rm -i -p 127.0.0.1:${port}:${port} -v`.split(' ');
  return [program.path, ...docker, `${dataDir}:/data`, dockerImage, 'redis-server', '-'];
}

function toConfiguration(options: RedisOptions, port: number, password: string): string {
  const { program, dataDir, appendfsync = 'everysec' } = options;
  const inDocker = program.kind === 'docker';
  return [
    `bind ${inDocker ? '*' : '127.0.0.1'}`,
    `port ${port}`,
    `requirepass ${password}`,
    `dir ${JSON.stringify(inDocker ? '/data' : dataDir)}`,
    'appendonly yes',
    `appendfsync ${appendfsync}`,
    'maxmemory-policy noeviction',
    'save ""',
    '',
  ].join('\n');
}

/** Reads what the child says: when it is ready, and its last words. */
function follow(child: ChildProcess): {
  readonly ready: Promise<'ready'>;
  readonly ended: Promise<string>;
} {
  let lastWords = 'ended without a word';
  let resolveReady: (value: 'ready') => void;
  const ready = new Promise<'ready'>((resolve) => (resolveReady = resolve));
  const listen = (stream: Readable | null): void => {
    if (!stream) return;
    createInterface({ input: stream }).on('line', (line) => {
      if (line.includes('Ready to accept connections')) resolveReady('ready');
      if (/fatal|error|can't|cannot|failed|in use/i.test(line)) lastWords = line.trim();
    });
  };
  listen(child.stdout);
  listen(child.stderr);
  // 'close' rather than 'exit': its last words have been read by then.
  const ended = once(child, 'close').then(
    () => lastWords,
    (error: unknown) => String(error),
  );
  const watcher = child.stdio[3];
  watcher?.on('error', () => undefined);
  child.once('exit', () => {
    // A line tells the watcher that there is nothing left to kill.
    if (watcher && 'end' in watcher) watcher.end('done\n');
  });
  return { ready, ended };
}
