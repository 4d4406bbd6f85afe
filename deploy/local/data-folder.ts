/**
 * The folder in which a local cluster keeps everything: Redis and AWS data, logs, credentials and
 * the demo tenant's key. One cluster at a time may use it.
 */
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, readFile, realpath, rename, rm, writeFile } from 'node:fs/promises';
import { connect, createServer, type Server } from 'node:net';
import { join, resolve } from 'node:path';
import { SetupError } from './setup-error.ts';

export interface DataFolder {
  readonly redis: string;
  readonly aws: string;
  readonly logs: string;
  readonly upFile: string;
  /** Whoever comes next may use the folder. */
  release(): Promise<void>;
  /** The text of a secret file of ours, made with `create` and readable by its owner alone if it is missing. */
  secret(name: string, create: () => string): Promise<string>;
}

const secretMode = 0o600;

/** @throws {SetupError} if the folder cannot be used, or another cluster uses it. */
export async function openDataFolder(dataDir: string): Promise<DataFolder> {
  const folder = resolve(dataDir);
  const paths = {
    redis: join(folder, 'redis'),
    aws: join(folder, 'aws'),
    logs: join(folder, 'logs'),
    upFile: join(folder, 'up.json'),
  };
  await usable(folder, () => mkdir(folder, { recursive: true, mode: 0o700 }));
  const lock = await claimFolder(await realpath(folder));
  try {
    await usable(folder, async () => {
      for (const path of [paths.redis, paths.aws, paths.logs])
        await mkdir(path, { recursive: true });
      await rm(paths.upFile, { force: true });
      await writePrivate(join(folder, '.probe'), '');
      await rm(join(folder, '.probe'));
    });
  } catch (error) {
    lock.close();
    throw error;
  }

  return {
    ...paths,
    async release() {
      const closed = once(lock, 'close');
      lock.close();
      await closed;
    },
    secret: (name, create) =>
      usable(folder, async () => {
        const file = join(folder, name);
        const text = await readOptional(file);
        if (text !== undefined) return text;
        const created = create();
        await writePrivate(file, created);
        return created;
      }),
  };
}

/** Whole or not at all, whoever reads it meanwhile. */
export async function writePrivate(file: string, text: string): Promise<void> {
  const draft = `${file}.${process.pid}`;
  await writeFile(draft, text, { mode: secretMode });
  await rename(draft, file);
}

async function readOptional(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}

async function usable<Result>(folder: string, use: () => Promise<Result>): Promise<Result> {
  try {
    return await use();
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new SetupError(`Data folder ${folder} cannot be used: ${reason}`, { cause });
  }
}

/** A listening socket named after the folder: it goes with the process, even on kill -9. */
async function claimFolder(folder: string): Promise<Server> {
  const name = `agent-mesh-${createHash('sha256').update(folder).digest('hex').slice(0, 16)}`;
  const address =
    process.platform === 'linux'
      ? `\0${name}`
      : process.platform === 'win32'
        ? `\\\\.\\pipe\\${name}`
        : `/tmp/${name}.sock`;
  for (let attempt = 1; ; attempt += 1) {
    const server = createServer((socket) => socket.destroy());
    try {
      server.listen(address);
      await once(server, 'listening');
      server.unref();
      return server;
    } catch (cause) {
      if (attempt > 1 || (await isAnswered(address))) {
        throw new SetupError(`A cluster is already running on ${folder}.`, { cause });
      }
      // Where a socket is a file, a killed process leaves it behind.
      await rm(address, { force: true });
    }
  }
}

async function isAnswered(address: string): Promise<boolean> {
  if (address.startsWith('\0')) return true;
  const socket = connect(address);
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}
