/** Starts the load client as a process of its own, so that it shares no event loop with anybody. */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { Load, Measured } from './load.ts';

export interface LoadClient extends Disposable {
  readonly pid: number;
  run(load: Load): Promise<Measured>;
}

interface Said {
  readonly measured?: Measured;
  readonly problem?: string;
}

export async function startClient(): Promise<LoadClient> {
  const child = fork(join(import.meta.dirname, 'client.ts'));
  await once(child, 'message');
  return {
    pid: child.pid ?? 0,
    async run(load) {
      child.send(load);
      const [said] = (await once(child, 'message')) as [Said];
      if (said.measured) return said.measured;
      throw new Error(`the load client failed: ${said.problem}`);
    },
    [Symbol.dispose]: () => void child.kill(),
  };
}
