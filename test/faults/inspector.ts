/**
 * Into a running process by the debugger that every Node brings along: its real event loop can be
 * blocked and its real heap measured, and the product needs no door for that. The debugger listens
 * on a free loopback port once the process is sent SIGUSR1, and says in the log where.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';

/** What the processes' environment needs: with the usual port, one process alone could listen. */
export const inspectable = { NODE_OPTIONS: '--inspect-port=0' } as const;

export interface Inspected {
  readonly name: string;
  readonly pid: number;
}

const openWithinMs = 10_000;

const Answer = z.object({ id: z.literal(1), result: z.unknown() });
const HeapUsage = z.object({ usedSize: z.number() });

/** Nothing else runs in the process for so long. Resolves when it goes on. */
export async function blockEventLoop(
  process: Inspected,
  logDir: string,
  ms: number,
): Promise<void> {
  const expression = `for (const until = performance.now() + ${ms}; performance.now() < until;);`;
  await post(process, logDir, 'Runtime.evaluate', { expression });
}

/** Bytes in use once all garbage is gone. */
export async function measureHeap(process: Inspected, logDir: string): Promise<number> {
  await post(process, logDir, 'HeapProfiler.collectGarbage');
  return HeapUsage.parse(await post(process, logDir, 'Runtime.getHeapUsage')).usedSize;
}

async function post(
  inspected: Inspected,
  logDir: string,
  method: string,
  params: object = {},
): Promise<unknown> {
  const socket = new WebSocket(await openDebugger(inspected, logDir));
  const { promise, resolve, reject } = Promise.withResolvers<unknown>();
  socket.addEventListener('open', () => socket.send(JSON.stringify({ id: 1, method, params })));
  socket.addEventListener('message', ({ data }) => {
    const answer = Answer.safeParse(JSON.parse(String(data)));
    if (answer.success) resolve(answer.data.result);
  });
  socket.addEventListener('close', () => reject(new Error(`${inspected.name} is gone`)));
  try {
    return await promise;
  } finally {
    socket.close();
  }
}

async function openDebugger({ name, pid }: Inspected, logDir: string): Promise<string> {
  const file = join(logDir, `${name}.log`);
  for (const until = Date.now() + openWithinMs; Date.now() < until; await sleep(20)) {
    const url = /^Debugger listening on (ws:\S+)$/m.exec(await readFile(file, 'utf8'))?.[1];
    if (url !== undefined) return url;
    process.kill(pid, 'SIGUSR1');
  }
  throw new Error(`The debugger of ${name} did not open`);
}
