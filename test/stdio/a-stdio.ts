/** The stdio service as a client runs it: a process of its own, spoken to in lines. */
import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

export const main = join(import.meta.dirname, '../../services/stdio/main.ts');

/** As long as a loaded machine may need to start a whole cluster. */
const answerWithinMs = 60_000;

export interface Answer {
  readonly id?: unknown;
  readonly method?: string;
  readonly params?: Readonly<Record<string, unknown>>;
  readonly result?: Readonly<Record<string, never>> & {
    readonly isError?: boolean;
    readonly structuredContent?: unknown;
    readonly protocolVersion?: string;
    readonly tools?: readonly { readonly name: string }[];
  };
  readonly error?: { readonly code: number; readonly message: string; readonly data?: unknown };
}

export interface TestStdio extends AsyncDisposable {
  readonly child: ChildProcessWithoutNullStreams;
  /** Writes a message, or text as it is, and a line end. */
  send(message: unknown): void;
  /** The next line of standard output. */
  nextLine(): Promise<string>;
  next(): Promise<Answer>;
  ask(method: string, params?: unknown, id?: number | string): Promise<Answer>;
  stderr(): string;
  /** Closes its input. */
  end(): void;
  /** Resolves with its exit code. */
  readonly ended: Promise<number | null>;
}

/** Whoever runs the tests may have a cluster, or a mesh, of their own in their environment. */
export function cleanEnvironment(): Record<string, string> {
  const own = /^(AWS_|AGENT_MESH_|DEFAULT_|DEV_MODE|REDIS_URL)/;
  return Object.fromEntries(
    Object.entries(process.env).flatMap(([name, value]) =>
      value === undefined || own.test(name) ? [] : [[name, value]],
    ),
  );
}

export function startStdio(
  args: readonly string[],
  environment: Readonly<Record<string, string>> = {},
): TestStdio {
  const child = spawn(process.execPath, [main, ...args], {
    env: { ...cleanEnvironment(), ...environment },
  });
  let errors = '';
  child.stderr.on('data', (chunk: Buffer) => (errors += chunk.toString()));
  child.stdin.on('error', () => undefined);
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const ended = once(child, 'exit').then(([code]) => (typeof code === 'number' ? code : null));
  let lastId = 0;

  const nextLine = async (): Promise<string> => {
    const { promise: late, reject } = Promise.withResolvers<never>();
    const timer = setTimeout(() => reject(new Error(`no line came: ${errors}`)), answerWithinMs);
    try {
      const { value, done } = await Promise.race([lines.next(), late]);
      if (done) throw new Error(`the output ended: ${errors}`);
      return value;
    } finally {
      clearTimeout(timer);
    }
  };
  const next = async () => JSON.parse(await nextLine()) as Answer;
  const send = (message: unknown): void => {
    child.stdin.write(`${typeof message === 'string' ? message : JSON.stringify(message)}\n`);
  };
  return {
    child,
    send,
    nextLine,
    next,
    ask(method, params = {}, id = (lastId += 1)) {
      send({ jsonrpc: '2.0', id, method, params });
      return next();
    },
    stderr: () => errors,
    end: () => void child.stdin.end(),
    ended,
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL');
      await ended;
    },
  };
}

export const toolCall = (
  name: string,
  args: unknown,
  id: number | string = 1,
): Readonly<Record<string, unknown>> => ({
  jsonrpc: '2.0',
  id,
  method: 'tools/call',
  params: { name, arguments: args },
});
