/**
 * The ingresses and workers of a local cluster, each a process of its own. They stop in order:
 * ingresses first, since the calls that they have accepted need workers to be answered.
 */
import { z } from 'zod';
import type { Environment } from './backends.ts';
import { startChild, type Child } from './child.ts';

const WorkerReady = z.object({ admin: z.string() });
const IngressReady = z.object({ mcp: z.string(), admin: z.string() });

type WorkerProcess = Child<z.output<typeof WorkerReady>>;
type IngressProcess = Child<z.output<typeof IngressReady>>;

export interface FleetOptions {
  readonly ingresses: number;
  readonly workers: number;
  /** Of the first ingress; the next follow two apart, admin ports between. Absent: free ports. */
  readonly port: number | undefined;
  readonly environment: Environment;
  readonly logDir: string;
  /** How long a process may take to stop before it is killed. */
  readonly stopTimeoutMs: number;
  /** Hears of every process that ends without having been asked to. */
  readonly onLoss: (text: string) => void;
}

export interface Fleet {
  readonly ingresses: readonly IngressProcess[];
  readonly workers: readonly WorkerProcess[];
  /** Resolves once no worker or no ingress is left. */
  readonly broken: Promise<string>;
  startWorker(): Promise<WorkerProcess>;
  /** Resolves with true if every process drained in time. */
  close(): Promise<boolean>;
}

/** Stops what has started if one of them fails. */
export async function startFleet(options: FleetOptions): Promise<Fleet> {
  const { environment, logDir, stopTimeoutMs, onLoss } = options;
  const ingresses: IngressProcess[] = [];
  const workers: WorkerProcess[] = [];
  const { promise: broken, resolve: breakDown } = Promise.withResolvers<string>();
  let closing = false;

  async function join<Process extends Child>(
    members: Process[],
    starting: Promise<Process>,
  ): Promise<Process> {
    const process = await starting;
    members.push(process);
    void watch(members, process);
    return process;
  }

  async function watch<Process extends Child>(members: Process[], process: Process): Promise<void> {
    const how = await process.ended;
    if (closing) return;
    members.splice(members.indexOf(process), 1);
    onLoss(`${process.name} ended (${how})`);
    if (members.length === 0) breakDown(`No ${process.name.replace(/-\d+$/, '')} is left`);
  }

  const startIngress = (index: number): Promise<IngressProcess> => {
    const { port } = options;
    const ports = port === undefined ? [0, 0] : [port + 2 * index, port + 2 * index + 1];
    const starting = startChild({
      name: `ingress-${index}`,
      script: 'services/ingress/main.ts',
      environment: { ...environment, PORT: String(ports[0]), ADMIN_PORT: String(ports[1]) },
      logDir,
      ready: IngressReady,
    });
    return join(ingresses, starting);
  };

  let nextWorker = 0;
  const startWorker = (): Promise<WorkerProcess> => {
    const starting = startChild({
      name: `worker-${nextWorker}`,
      script: 'services/worker/main.ts',
      environment: { ...environment, ADMIN_PORT: '0' },
      logDir,
      ready: WorkerReady,
    });
    nextWorker += 1;
    return join(workers, starting);
  };

  async function close(): Promise<boolean> {
    closing = true;
    let drained = true;
    for (const members of [ingresses, workers]) {
      const stopped = await Promise.all(members.map((each) => each.stop(stopTimeoutMs)));
      drained &&= stopped.every(Boolean);
    }
    return drained;
  }

  const outcomes = await Promise.allSettled([
    ...Array.from({ length: options.ingresses }, (_, index) => startIngress(index)),
    ...Array.from({ length: options.workers }, startWorker),
  ]);
  const failed = outcomes.find((each) => each.status === 'rejected');
  if (failed) {
    await close();
    throw failed.reason;
  }
  ingresses.sort((a, b) => byName(a, b));
  workers.sort((a, b) => byName(a, b));
  return { ingresses, workers, broken, startWorker, close };
}

function byName(a: Child, b: Child): number {
  return a.name.localeCompare(b.name, 'en', { numeric: true });
}
