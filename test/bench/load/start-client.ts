/** Starts the load client as a process of its own, so that it shares no event loop with anybody. */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { Load, Measured } from './load.ts';

export interface LoadClient extends Disposable {
  readonly pid: number;
  run(load: Load): Promise<Measured>;
  /** Ends the load that is running once everything in flight is answered. */
  stop(): void;
}

interface Said {
  readonly measured?: Measured;
  readonly problem?: string;
}

export async function startClient(): Promise<LoadClient> {
  const child = fork(join(import.meta.dirname, 'client.ts'));
  const ended = once(child, 'exit').then(() => [{ problem: 'it ended' }]);
  await once(child, 'message');
  return {
    pid: child.pid ?? 0,
    async run(load) {
      child.send(load);
      const [said] = (await Promise.race([once(child, 'message'), ended])) as [Said];
      if (said.measured) return said.measured;
      throw new Error(`the load client failed: ${said.problem}`);
    },
    stop: () => void child.send('stop'),
    [Symbol.dispose]: () => void child.kill(),
  };
}
