/** Targets that are a server of a few lines on somebody's library, in one process. */
import { join } from 'node:path';
import { eras, type Era } from '../load/load.ts';
import { startOwnServer } from './server-process.ts';
import { plainEcho, type Target } from './target.ts';

interface OwnServer {
  readonly name: string;
  readonly script: string;
  readonly eras: readonly Era[];
}

const bench = join(import.meta.dirname, '..');
const peers = join(bench, '../peers');

/** Fastify that parses and writes JSON: what any server in its place would cost. */
export const floor: OwnServer = { name: 'floor', script: join(bench, 'servers/floor.ts'), eras };
export const sdkV1: OwnServer = {
  name: 'sdk-v1',
  script: join(bench, 'servers/sdk-v1.ts'),
  eras: ['2025-11-25'],
};
export const sdkV2: OwnServer = { name: 'sdk-v2', script: join(peers, 'sdk-v2.mjs'), eras };
export const fastmcp: OwnServer = {
  name: 'fastmcp',
  script: join(peers, 'fastmcp.mjs'),
  eras: ['2025-11-25'],
};

export async function startOwn({ name, script, eras }: OwnServer): Promise<Target> {
  const server = await startOwnServer(script);
  return {
    name,
    url: `http://127.0.0.1:${server.port}/mcp`,
    echo: plainEcho,
    eras,
    processes: [{ name: 'server', pid: server.pid }],
    access: {},
    close: () => server.close(),
  };
}
