/**
 * The local cluster as a stdio process uses it: the one that runs (`mesh up`), or the one that
 * stdio processes share, started if there is none. If it goes, the next message looks again.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, open } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { extname, join, resolve } from 'node:path';
import { z } from 'zod';
import { SetupError } from '../../../deploy/local/setup-error.ts';
import { readUpFile, UpFile } from '../../../deploy/local/up-file.ts';
import type { Endpoint, Locate } from '../endpoint.ts';
import { enter, meetingPointOf } from './meeting-point.ts';

export interface LocalClusterOptions {
  readonly dataDir: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly log: (text: string) => void;
}

export interface LocalCluster {
  /** @throws {SetupError} if there is no cluster and none can be started. */
  readonly locate: Locate;
  /** What is known of the cluster in use. */
  up(): Promise<UpFile>;
  readonly dataDir: string;
  /** It may stop, as far as this process is concerned. */
  leave(): Promise<void>;
}

const Said = z.object({ up: UpFile.optional(), error: z.string().optional() });

/** Packages aside, everything that a first start does. */
const startWithinMs = 60_000;
const lookEveryMs = 100;

/** Another cluster holds the folder, and is starting or stopping: neither takes long. */
const isBusy = (error: string): boolean => error.startsWith('A cluster is already running');

export function createLocalCluster(options: LocalClusterOptions): LocalCluster {
  const dataDir = resolve(options.dataDir);
  let joining: Promise<UpFile> | undefined;
  let membership: Socket | undefined;

  async function search(): Promise<UpFile> {
    const address = await meetingPointOf(dataDir);
    const giveUpAt = performance.now() + startWithinMs;
    let keeper: ChildProcess | undefined;
    while (performance.now() < giveUpAt) {
      const up = (await joinShared(address)) ?? (await findRunning(dataDir));
      if (up) return up;
      if (!keeper || hasEnded(keeper)) keeper = await startKeeper({ ...options, dataDir });
      await new Promise((done) => setTimeout(done, lookEveryMs));
    }
    throw new SetupError(`The local cluster did not start within ${startWithinMs / 1_000} s.`);
  }

  async function joinShared(address: string): Promise<UpFile | undefined> {
    const socket = await enter(address);
    if (!socket) return undefined;
    membership?.destroy();
    membership = socket;
    socket.on('error', () => undefined);
    socket.on('close', () => {
      // The cluster is gone: the next message looks again.
      if (membership === socket) joining = undefined;
    });
    const { up, error } = await hear(socket);
    if (error !== undefined && !isBusy(error)) throw new SetupError(error);
    if (!up) socket.destroy();
    return up;
  }

  function find(failed?: Endpoint): Promise<UpFile> {
    if (failed) joining = undefined;
    joining ??= search().catch((cause: unknown) => {
      // The next message tries again.
      joining = undefined;
      throw cause;
    });
    return joining;
  }

  return {
    dataDir,
    up: () => find(),
    async locate(failed) {
      const { mcp, apiKey } = await find(await isStale(failed));
      return { url: new URL(mcp), token: apiKey };
    },
    async leave() {
      membership?.destroy();
    },
  };

  /** Several messages may have failed at the same endpoint: only the first of them looks again. */
  async function isStale(failed: Endpoint | undefined): Promise<Endpoint | undefined> {
    if (!failed || !joining) return undefined;
    const current = await joining.catch(() => undefined);
    return current?.mcp === failed.url.href ? failed : undefined;
  }
}

/** Resolves with nothing if the other side ends without a word. */
async function hear(socket: Socket): Promise<z.output<typeof Said>> {
  const { promise, resolve: say } = Promise.withResolvers<z.output<typeof Said>>();
  const chunks: Buffer[] = [];
  socket.on('data', (chunk: Buffer) => {
    chunks.push(chunk);
    if (!chunk.includes('\n')) return;
    const [line = ''] = Buffer.concat(chunks).toString('utf8').split('\n');
    say(Said.parse(JSON.parse(line)));
  });
  socket.on('close', () => say({}));
  return promise;
}

/** One that `mesh up` runs. */
async function findRunning(dataDir: string): Promise<UpFile | undefined> {
  const up = await readUpFile(join(dataDir, 'up.json')).catch(() => undefined);
  if (!up) return undefined;
  const { hostname, port } = new URL(up.mcp);
  const socket = connect(Number(port), hostname);
  try {
    await once(socket, 'connect');
    return up;
  } catch {
    return undefined;
  } finally {
    socket.destroy();
  }
}

async function startKeeper(options: LocalClusterOptions): Promise<ChildProcess> {
  const { dataDir, environment, log } = options;
  const logDir = join(dataDir, 'logs');
  await mkdir(logDir, { recursive: true });
  // It is told the demo key.
  const logFile = await open(join(logDir, 'stdio-cluster.log'), 'a', 0o600);
  log('starting the local cluster');
  const script = join(import.meta.dirname, `../main${extname(import.meta.filename)}`);
  const child = spawn(process.execPath, [script, 'keep-cluster', `--data=${dataDir}`], {
    env: environment,
    // Its life is its own: neither our terminal's signals nor our end concern it.
    detached: true,
    stdio: ['ignore', logFile.fd, logFile.fd],
    windowsHide: true,
  });
  child.on('error', (cause) => log(`the local cluster cannot be started: ${cause.message}`));
  child.unref();
  await logFile.close();
  return child;
}

function hasEnded({ exitCode, signalCode, pid }: ChildProcess): boolean {
  return exitCode !== null || signalCode !== null || pid === undefined;
}
