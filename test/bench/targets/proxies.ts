/** Proxies that put a stdio server behind HTTP: the same minimal server behind each. */
import { join } from 'node:path';
import { readChildren, type Watched } from '../measure/processes.ts';
import { eras, type Era } from '../load/load.ts';
import { startProgram } from './server-process.ts';
import { openSession } from './session.ts';
import { plainEcho, type Target } from './target.ts';

const peers = join(import.meta.dirname, '../../peers/node_modules');
const stdioServer = join(import.meta.dirname, '../servers/stdio.ts');

interface Proxy {
  readonly name: string;
  readonly script: string;
  readonly args: readonly string[];
  readonly eras: readonly Era[];
  /** Its own stateless mode starts a process for every request, so it is measured with a session. */
  readonly session?: true;
}

export const mcpProxy: Proxy = {
  name: 'mcp-proxy',
  script: join(peers, 'mcp-proxy/dist/bin/mcp-proxy.mjs'),
  args: [
    ...['--host', '127.0.0.1', '--port', '$port', '--server', 'stream', '--stateless'],
    ...['--', process.execPath, stdioServer],
  ],
  eras,
};
export const supergateway: Proxy = {
  name: 'supergateway',
  script: join(peers, 'supergateway/dist/index.js'),
  args: [
    ...['--stdio', `${process.execPath} ${stdioServer}`, '--outputTransport', 'streamableHttp'],
    ...['--port', '$port', '--logLevel', 'none', '--stateful'],
  ],
  eras: ['2025-11-25'],
  session: true,
};

export async function startProxy(proxy: Proxy): Promise<Target> {
  const server = await startProgram(proxy.script, proxy.args);
  const url = `http://127.0.0.1:${server.port}/mcp`;
  const access = proxy.session ? { headers: await openSession(url) } : {};
  return {
    name: proxy.name,
    url,
    echo: plainEcho,
    eras: proxy.eras,
    processes: await processesOf(server.pid),
    access,
    close: () => server.close(),
  };
}

async function processesOf(pid: number): Promise<readonly Watched[]> {
  const [child] = await readChildren(pid);
  const stdio = child === undefined ? [] : (await readChildren(child)).slice(0, 1);
  const behind = stdio[0] ?? child;
  return [
    { name: 'proxy', pid },
    ...(behind === undefined ? [] : [{ name: 'stdio server', pid: behind }]),
  ];
}
