/**
 * Finds something that can run Redis: a program on PATH, else Docker, else what apt-get installs
 * where it may. A daemon that the distribution would start is never started.
 */
import { execFile } from 'node:child_process';
import { access, constants, rm, writeFile } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import { SetupError } from './setup-error.ts';

export type RedisProgram =
  | { readonly kind: 'program'; readonly path: string }
  | { readonly kind: 'docker'; readonly path: string };

const run = promisify(execFile);
const installTimeoutMs = 300_000;
const dockerTimeoutMs = 5_000;

/** @throws {SetupError} saying what to install. */
export async function findRedis(ports: {
  readonly path: string;
  readonly onStep: (text: string) => void;
}): Promise<RedisProgram> {
  const onPath = await findProgram(ports.path);
  if (onPath !== undefined) return { kind: 'program', path: onPath };

  const docker = await which('docker', ports.path);
  if (docker !== undefined && (await answers(docker))) return { kind: 'docker', path: docker };

  const installed = await installWithApt(ports);
  if (installed !== undefined) return { kind: 'program', path: installed };

  throw new SetupError(
    'Redis is missing. Install redis-server or valkey-server (or start Docker), or set REDIS_URL.',
  );
}

async function findProgram(path: string): Promise<string | undefined> {
  return (await which('redis-server', path)) ?? which('valkey-server', path);
}

async function which(name: string, path: string): Promise<string | undefined> {
  for (const folder of path.split(delimiter)) {
    if (folder === '') continue;
    const file = join(folder, name);
    try {
      await access(file, constants.X_OK);
      return file;
    } catch {
      // Not in this folder.
    }
  }
  return undefined;
}

async function answers(docker: string): Promise<boolean> {
  try {
    await run(docker, ['version'], { timeout: dockerTimeoutMs });
    return true;
  } catch {
    return false;
  }
}

async function installWithApt({
  path,
  onStep,
}: Parameters<typeof findRedis>[0]): Promise<string | undefined> {
  const apt = await which('apt-get', path);
  if (apt === undefined || process.getuid?.() !== 0) return undefined;
  onStep('Installing redis-server with apt-get');
  const forbidden = await forbidDaemons();
  try {
    const options = {
      timeout: installTimeoutMs,
      env: { PATH: path, DEBIAN_FRONTEND: 'noninteractive', RUNLEVEL: '1' },
    };
    await run(apt, ['update', '-qq'], options);
    await run(apt, ['install', '-y', '-qq', '--no-install-recommends', 'redis-server'], options);
  } catch (cause) {
    throw new SetupError(
      'Redis is missing, and apt-get could not install it. Install redis-server, or set REDIS_URL.',
      { cause },
    );
  } finally {
    await forbidden.lift();
  }
  // Neither now nor at the next boot. Fails where systemd does not run: then nothing starts it.
  await run('systemctl', ['disable', '--now', 'redis-server']).catch(() => undefined);
  return findProgram(path);
}

/** Debian's packages ask this file before they start a daemon; 101 is no. One already there stays. */
async function forbidDaemons(): Promise<{ lift(): Promise<void> }> {
  const policy = '/usr/sbin/policy-rc.d';
  try {
    await writeFile(policy, '#!/bin/sh\nexit 101\n', { mode: 0o755, flag: 'wx' });
  } catch {
    return { lift: () => Promise.resolve() };
  }
  return { lift: () => rm(policy, { force: true }) };
}
