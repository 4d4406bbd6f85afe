/**
 * Where the stdio processes of one data folder meet the process that keeps their cluster: a socket
 * named after the folder. Each of them holds a connection while it needs the cluster. It ends with
 * its process, however that ends, so that nobody has to count.
 */
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, realpath, rm } from 'node:fs/promises';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Makes the folder if it is missing. */
export async function meetingPointOf(dataDir: string): Promise<string> {
  await mkdir(dataDir, { recursive: true, mode: 0o700 });
  const digest = createHash('sha256')
    .update(await realpath(dataDir))
    .digest('hex');
  const name = `agent-mesh-users-${digest.slice(0, 16)}`;
  if (process.platform === 'linux') return `\0${name}`;
  return process.platform === 'win32' ? `\\\\.\\pipe\\${name}` : join(tmpdir(), `${name}.sock`);
}

/** Resolves with undefined if nobody is there. */
export async function enter(address: string): Promise<Socket | undefined> {
  const socket = connect(address);
  try {
    await once(socket, 'connect');
    return socket;
  } catch {
    socket.destroy();
    return undefined;
  }
}

/** Resolves with undefined if another process has it. */
export async function open(
  address: string,
  onEnter: (socket: Socket) => void,
): Promise<Server | undefined> {
  for (let attempt = 1; ; attempt += 1) {
    const server = createServer(onEnter);
    try {
      server.listen(address);
      await once(server, 'listening');
      return server;
    } catch {
      const socket = await enter(address);
      socket?.destroy();
      if (socket || attempt > 1) return undefined;
      // Where a socket is a file, a killed process leaves it behind.
      if (!address.startsWith('\0')) await rm(address, { force: true });
    }
  }
}
