/**
 * One local client on standard input and output, from its first line to its end: input that ends,
 * an output that nobody reads any more, or a request to stop.
 */
import type { Readable, Writable } from 'node:stream';
import { createBridge, maxMessageBytes } from './bridge.ts';
import type { Endpoint, Locate } from './endpoint.ts';
import { readLines } from './lines.ts';
import type { LocalCluster } from './local/local-cluster.ts';
import { createOutput } from './output.ts';
import { joinPasted } from './pasted.ts';
import { createPost } from './post.ts';

export interface StdioOptions {
  /** Absent, with `token`: the local cluster, which is started if none is running. */
  readonly url: string | undefined;
  readonly token: string | undefined;
  readonly compat: boolean;
  readonly dataDir: string;
}

export interface StdioPorts {
  readonly input: Readable;
  readonly output: Writable;
  readonly log: (text: string) => void;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Resolves with a reason once this process should stop. */
  readonly askedToStop: Promise<string>;
}

/** What serves the client: the bridge, or the original's protocol. */
export interface Server {
  /** Takes the text of a message, or undefined for one that was too long. Resolves once there is room for more. */
  accept(text: string | undefined): Promise<void>;
  settle(timeoutMs: number): Promise<void>;
  close(): Promise<void>;
}

const defaultUrl = 'http://127.0.0.1:3000/mcp';

/** For the answers that are under way when the input ends. */
const settleMs = 5_000;
const flushMs = 1_000;

/** Resolves once the client has gone and nothing is left. @throws {TypeError} if the URL is none. */
export async function runStdio(options: StdioOptions, ports: StdioPorts): Promise<void> {
  const { input, askedToStop } = ports;
  const log = withoutRepeats(ports.log);
  const output = createOutput(ports.output);
  const place = await findPlace(options, ports);
  const { post, close: closeSockets } = await createPost(place.secure);
  const server = options.compat
    ? await openCompat(place, { ...ports, log, post, write: output.write })
    : createBridge({ ...output, locate: place.locate, post, log });

  const ended = serve(input, server);
  const why = await Promise.race([
    ended.then(() => 'input ended' as const),
    output.closed.then(() => 'output closed'),
    askedToStop,
  ]);
  if (why === 'input ended') {
    await Promise.race([server.settle(settleMs), output.closed, askedToStop]);
  }
  input.destroy();
  await server.close();
  await output.flush(flushMs);
  closeSockets();
  await place.leave();
}

async function serve(input: Readable, server: Server): Promise<void> {
  try {
    for await (const text of joinPasted(readLines(input, maxMessageBytes))) {
      await server.accept(text);
    }
  } catch {
    // An input that breaks has ended.
  }
}

interface Place {
  readonly locate: Locate;
  readonly secure: boolean;
  readonly local?: LocalCluster;
  leave(): Promise<void>;
}

async function findPlace(options: StdioOptions, ports: StdioPorts): Promise<Place> {
  const { url, token, dataDir } = options;
  if (url !== undefined || token !== undefined) {
    const endpoint: Endpoint = { url: toUrl(url ?? defaultUrl), token };
    const secure = endpoint.url.protocol === 'https:';
    return { locate: async () => endpoint, secure, leave: async () => undefined };
  }
  // The bridge to an ingress that is given starts faster without it.
  const { createLocalCluster } = await import('./local/local-cluster.ts');
  const local = createLocalCluster({ dataDir, ...ports });
  // Does not wait for the first message. Whoever waits for it hears of a failure.
  local.locate().catch(() => undefined);
  return { locate: local.locate, secure: false, local, leave: () => local.leave() };
}

/** @throws {TypeError} */
function toUrl(text: string): URL {
  const url = URL.parse(text);
  if (url?.protocol === 'http:' || url?.protocol === 'https:') return url;
  throw new TypeError('--url, or AGENT_MESH_URL, is no URL with http:// or https://');
}

/** Every message meets the same problem until somebody mends it. */
function withoutRepeats(log: StdioPorts['log']): StdioPorts['log'] {
  let last: string | undefined;
  return (text) => {
    if (text !== last) log(text);
    last = text;
  };
}

async function openCompat(
  place: Place,
  ports: StdioPorts & Pick<Parameters<typeof createBridge>[0], 'post' | 'write'>,
): Promise<Server> {
  const { createOriginal } = await import('./compat/original.ts');
  return createOriginal({ ...place, ...ports });
}
