/**
 * The inspector of a Node process of ours. It is closed until the process gets SIGUSR1, and then
 * says in its log where it listens: so nothing of it is there while calls are measured.
 */
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';

export interface Inspector extends Disposable {
  send<Result>(method: string, params?: object): Promise<Result>;
}

interface Answer {
  readonly id?: number;
  readonly result?: unknown;
  readonly error?: { readonly message: string };
}

const openTimeoutMs = 10_000;
const lookEveryMs = 20;

export async function openInspector(pid: number, logFile: string): Promise<Inspector> {
  const socket = new WebSocket(await findAddress(pid, logFile));
  await once(socket, 'open');
  let lastId = 0;
  return {
    async send<Result>(method: string, params: object = {}) {
      const id = (lastId += 1);
      const { promise, resolve, reject } = Promise.withResolvers<Result>();
      const listen = ({ data }: MessageEvent): void => {
        const answer = JSON.parse(String(data)) as Answer;
        if (answer.id !== id) return;
        socket.removeEventListener('message', listen);
        if (answer.error) reject(new Error(`${method}: ${answer.error.message}`));
        else resolve(answer.result as Result);
      };
      socket.addEventListener('message', listen);
      socket.send(JSON.stringify({ id, method, params }));
      return promise;
    },
    [Symbol.dispose]: () => socket.close(),
  };
}

async function findAddress(pid: number, logFile: string): Promise<string> {
  process.kill(pid, 'SIGUSR1');
  for (const until = Date.now() + openTimeoutMs; Date.now() < until; await sleep(lookEveryMs)) {
    const said = (await readFile(logFile, 'utf8')).matchAll(/Debugger listening on (ws:\S+)/g);
    const address = [...said].at(-1)?.[1];
    if (address !== undefined) return address;
  }
  throw new Error(`process ${pid} opened no inspector`);
}

/** Bytes in use once everything that can go has gone. */
export async function readHeapBytes(inspector: Inspector): Promise<number> {
  await inspector.send('HeapProfiler.enable');
  await inspector.send('HeapProfiler.collectGarbage');
  const { usedSize } = await inspector.send<{ usedSize: number }>('Runtime.getHeapUsage');
  return usedSize;
}

/** With the text of a `.cpuprofile` of what the process did during `work`. */
export async function withProfile<Result>(
  inspector: Inspector,
  work: () => Promise<Result>,
): Promise<{ readonly text: string; readonly result: Result }> {
  await inspector.send('Profiler.enable');
  await inspector.send('Profiler.start');
  const result = await work();
  const { profile } = await inspector.send<{ profile: unknown }>('Profiler.stop');
  return { text: JSON.stringify(profile), result };
}
