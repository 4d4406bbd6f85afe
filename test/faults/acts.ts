/** What can be done to a fleet. Each resolves once the fleet is whole again, though perhaps not yet well. */
import { readdir, stat, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Mood } from './aws-proxy.ts';
import { leaseMs, type FaultFleet, type WorkerProcess } from './fleet.ts';
import { blockEventLoop } from './inspector.ts';
import { callOnce, type Ended } from './load.ts';

/** May resolve with calls of its own. */
export type Act = (fleet: FaultFleet) => Promise<readonly Ended[] | void>;

const pastLeaseMs = 2 * leaseMs;
/** About what a second of load writes. */
const tailBytes = 20_000;
const floodCalls = 260;

export const nothing: Act = async () => undefined;

export const killWorker: Act = async (fleet) => {
  process.kill(expendable(fleet).pid, 'SIGKILL');
  await sleep(leaseMs);
  await fleet.startWorker();
};

export const replaceWorker: Act = async (fleet) => {
  const old = expendable(fleet);
  process.kill(old.pid, 'SIGTERM');
  await Promise.all([fleet.startWorker(), old.ended]);
};

export const killIngress: Act = async (fleet) => {
  process.kill(anyOf(fleet.ingresses).pid, 'SIGKILL');
  await fleet.startIngress();
};

export const stopWorker =
  (ms = pastLeaseMs): Act =>
  async (fleet) => {
    const { pid } = expendable(fleet);
    process.kill(pid, 'SIGSTOP');
    await sleep(ms);
    process.kill(pid, 'SIGCONT');
  };

export const blockWorker =
  (ms = pastLeaseMs): Act =>
  (fleet) =>
    blockEventLoop(expendable(fleet), fleet.logDir, ms);

export const cutNetwork: Act = async ({ network }) => {
  network.swallow();
  await sleep(pastLeaseMs);
  network.mend();
};

export const restartRedis: Act = async ({ redis }) => {
  const node = anyOf(redis.nodes);
  await node.kill();
  await sleep(500);
  await node.start();
};

/** As a power failure leaves it under `appendfsync everysec`. */
export const cutTail: Act = async ({ redis }) => {
  const node = anyOf(redis.nodes);
  await node.kill();
  const folder = join(node.folder, 'appendonlydir');
  const name = (await readdir(folder)).find((file) => file.endsWith('.incr.aof')) ?? '';
  const { size } = await stat(join(folder, name));
  await truncate(join(folder, name), Math.max(0, size - tailBytes));
  await node.start();
};

export const fillRedis: Act = async ({ ask }) => {
  const used = /used_memory:(\d+)/.exec(await ask.info('memory'))?.[1];
  await ask.config('SET', 'maxmemory', Number(used) + 200_000);
  await sleep(3_000);
  await ask.config('SET', 'maxmemory', 0);
};

export const makeAws =
  (mood: Mood, ms = 3_000): Act =>
  async ({ aws }) => {
    aws.mood = mood;
    await sleep(ms);
    aws.mood = 'well';
  };

export const flood: Act = async (fleet) => {
  const flooding = { id: 'tenant-01', quiet: false };
  const call = ['diagnostics_sleep', { ms: 20 }] as const;
  return Promise.all(Array.from({ length: floodCalls }, () => callOnce(fleet, flooding, 0, call)));
};

export const restartAll: Act = async (fleet) => {
  for (const old of [...fleet.workers]) {
    await fleet.startWorker({ behindNetwork: old === fleet.networked });
    await old.stop(10_000);
  }
  for (const old of [...fleet.ingresses]) {
    await fleet.startIngress();
    // As a load balancer does, which sees that it is not ready any more.
    fleet.ingresses.splice(fleet.ingresses.indexOf(old), 1);
    await old.stop(15_000);
  }
};

/** One after another for so long, chosen anew each time; says which. */
export const atRandom =
  (ms: number, choice: Readonly<Record<string, Act>>): Act =>
  async (fleet) => {
    const done: string[] = [];
    const calls: Ended[] = [];
    for (const until = Date.now() + ms; Date.now() < until; await sleep(Math.random() * 1_000)) {
      const [name, act] = anyOf(Object.entries(choice));
      done.push(name);
      calls.push(...((await act(fleet)) ?? []));
    }
    process.stdout.write(`at random: ${done.join(', ')}\n`);
    return calls;
  };

/** The worker behind the bad network stays, so that there always is one. */
function expendable({ workers, networked }: FaultFleet): WorkerProcess {
  return anyOf(workers.filter((each) => each !== networked));
}

function anyOf<T>(list: readonly T[]): T {
  const found = list[Math.floor(Math.random() * list.length)];
  if (found === undefined) throw new Error('There is none left');
  return found;
}
