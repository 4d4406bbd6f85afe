/** Other people's programs, as their users run them. They are installed apart, on first use. */
import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { promisify } from 'node:util';
import {
  Client,
  StreamableHTTPClientTransport,
  type ClientOptions,
} from '@modelcontextprotocol/client';
import { vi } from 'vitest';
import { findFreePort } from '../../deploy/local/ports.ts';
import { cleanEnvironment } from '../stdio/a-stdio.ts';

const peers = join(import.meta.dirname, '../peers/node_modules');
const inspectorScript = join(
  peers,
  '@modelcontextprotocol/inspector/clients/launcher/build/index.js',
);
const proxyScript = join(peers, 'mcp-proxy/dist/bin/mcp-proxy.mjs');

/** As long as a loaded machine may need. */
const patient = { timeout: 60_000, interval: 200 };

type Era = NonNullable<ClientOptions['versionNegotiation']>['mode'];

/** One run of the inspector's command line, which keeps files in `home`. Resolves with the result it prints. */
export async function inspect(args: readonly string[], home: string): Promise<unknown> {
  const { child, stdout, output } = run(inspectorScript, ['--cli', '--format=json', ...args], {
    HOME: home,
  });
  const [code] = await once(child, 'close');
  if (code !== 0) throw new Error(`the inspector ended with ${code}: ${output()}`);
  return JSON.parse(stdout()).result;
}

export interface Proxied extends AsyncDisposable {
  readonly pid: number;
  /** A client in front, once the proxy answers. */
  connect(mode: Era): Promise<Client>;
}

/** `mcp-proxy` with a stdio server behind it. */
export async function proxy(
  command: readonly string[],
  environment: Readonly<Record<string, string>>,
): Promise<Proxied> {
  const port = await findFreePort();
  const listen = ['--host=127.0.0.1', `--port=${port}`, '--server=stream'];
  const { child, output } = run(proxyScript, [...listen, '--', ...command], environment);
  const ended = once(child, 'exit');
  const url = new URL(`http://127.0.0.1:${port}/mcp`);
  const clients: Client[] = [];

  async function connect(mode: Era): Promise<Client> {
    if (child.exitCode !== null) throw new Error(output());
    const client = new Client({ name: 'test', version: '1' }, { versionNegotiation: { mode } });
    await client.connect(new StreamableHTTPClientTransport(url));
    clients.push(client);
    return client;
  }

  return {
    pid: child.pid ?? 0,
    connect: (mode) => vi.waitFor(() => connect(mode), patient),
    async [Symbol.asyncDispose]() {
      await Promise.allSettled(clients.map((client) => client.close()));
      child.kill('SIGTERM');
      await ended;
    },
  };
}

export async function childrenOf(pid: number): Promise<readonly number[]> {
  const { stdout } = await promisify(execFile)('ps', ['-e', '-o', 'pid=,ppid=']);
  return stdout
    .trim()
    .split('\n')
    .map((line) => line.trim().split(/\s+/).map(Number))
    .flatMap(([child = 0, parent]) => (parent === pid ? [child] : []));
}

interface Program {
  readonly child: ChildProcess;
  readonly stdout: () => string;
  readonly output: () => string;
}

function run(
  script: string,
  args: readonly string[],
  environment: Readonly<Record<string, string>>,
): Program {
  const child = spawn(process.execPath, [script, ...args], {
    env: { ...cleanEnvironment(), ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
  return { child, stdout: () => stdout, output: () => stdout + stderr };
}
