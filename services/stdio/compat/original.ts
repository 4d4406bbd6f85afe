/**
 * Serves a client of mcp-rust: its requests, its results without an MCP envelope, its errors. One
 * request at a time in order of arrival, as the original does, so that a script that writes and
 * then reads finds what it wrote. The calls themselves are ordinary ones at an ingress.
 */
import type { Endpoint, Locate } from '../endpoint.ts';
import { errorIn, parsed, textOf } from '../failure.ts';
import type { LocalCluster } from '../local/local-cluster.ts';
import { isJson, type Json } from '../message.ts';
import { Unreachable, type Post } from '../post.ts';
import {
  faultIn,
  handlerError,
  internal,
  invalidRequest,
  methodNotFound,
  OriginalError,
  rateLimited,
  tenantUnauthorized,
  toOriginal,
} from './original-error.ts';
import { readRequest, typeName, type OriginalRequest } from './original-request.ts';
import { originalTools, type OriginalTool } from './original-tools.ts';
import { callerOf, namesCaller, type Caller, type Principals } from './principals.ts';

export interface OriginalPorts {
  readonly locate: Locate;
  readonly post: Post;
  readonly write: (text: string) => Promise<void>;
  readonly log: (text: string) => void;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Absent: the ingress is elsewhere. */
  readonly local?: LocalCluster | undefined;
}

export interface Original {
  accept(text: string | undefined): Promise<void>;
  /** Waits as long as one answer follows another within `timeoutMs`. */
  settle(timeoutMs: number): Promise<void>;
  close(): Promise<void>;
}

const maxWaiting = 512;

const greeting = {
  protocolVersion: '2025-06-18',
  capabilities: { tools: {} },
  serverInfo: { name: 'mcp-rust', version: '0.1.0' },
};

export async function createOriginal(ports: OriginalPorts): Promise<Original> {
  const { write, log } = ports;
  const principals = await openPrincipals(ports);
  const controller = new AbortController();
  let waiting = 0;
  let answers = 0;
  let last = Promise.resolve();

  async function serve(text: string | undefined): Promise<void> {
    // Until it is read, nobody can say that a line had no id: it is answered.
    let id: unknown;
    let outcome: Json;
    try {
      if (text === undefined) throw invalidRequest('the line is too long');
      const request = readRequest(text);
      id = request.id;
      const result = await answerAnywhere(request, {
        ...ports,
        principals,
        signal: controller.signal,
      });
      if (id === null) return;
      outcome = { result };
    } catch (thrown) {
      const error = thrown instanceof OriginalError ? thrown : internal(textOf(thrown));
      // Its own errors are answers; anything else is about the way to the ingress.
      if (id === null || error !== thrown) log(error.message);
      if (id === null) return;
      outcome = { error: error.toRpc() };
    }
    await write(JSON.stringify({ jsonrpc: '2.0', id: id ?? null, ...outcome }));
  }

  async function next(previous: Promise<void>, text: string | undefined): Promise<void> {
    await previous;
    if (!controller.signal.aborted) await serve(text);
    waiting -= 1;
    answers += 1;
  }

  async function settle(timeoutMs: number): Promise<void> {
    if (waiting === 0) return;
    const before = answers;
    // The first call to a cluster that is still starting has had no time yet.
    await Promise.race([last, ports.locate().catch(() => undefined)]);
    await Promise.race([last, late(timeoutMs)]);
    // One after the other: each has its time.
    if (answers > before) await settle(timeoutMs);
  }

  return {
    settle,
    async accept(text) {
      const previous = last;
      waiting += 1;
      last = next(previous, text);
      if (waiting >= maxWaiting) await previous;
    },
    async close() {
      controller.abort();
      await principals.close().catch((cause: unknown) => log(textOf(cause)));
    },
  };
}

async function openPrincipals(ports: OriginalPorts): Promise<Principals> {
  const { local } = ports;
  if (local) {
    const { createLocalPrincipals } = await import('./local-principals.ts');
    return createLocalPrincipals({ ...ports, local });
  }
  const { createRemotePrincipals } = await import('./remote-principals.ts');
  return createRemotePrincipals(ports);
}

interface AnswerPorts extends OriginalPorts {
  readonly principals: Principals;
  readonly signal: AbortSignal;
}

/** A cluster that is gone is looked for again, once. */
async function answerAnywhere(request: OriginalRequest, ports: AnswerPorts): Promise<unknown> {
  try {
    return await answer(request, ports);
  } catch (thrown) {
    if (!(thrown instanceof Unreachable)) throw thrown;
    await ports.locate(await ports.locate());
    return answer(request, ports);
  }
}

/** @throws {OriginalError} */
async function answer(request: OriginalRequest, ports: AnswerPorts): Promise<unknown> {
  const { method, params } = request;
  const usesTools = method === 'tools/list' || method === 'tools/call';
  // The original looks at the tenant before the method; without one it can still say hello.
  if (!usesTools && !namesCaller(request, ports.environment)) return greet(method);
  const caller = await callerOf(request, ports.environment, ports.principals);
  const endpoint = await ports.principals.endpointFor(caller);
  if (!usesTools) return greet(method);
  const names = (): Promise<ReadonlySet<string>> => listNames({ endpoint, caller }, ports);
  if (method === 'tools/list') return { tools: toListing(await names()) };
  if (params === undefined) throw invalidRequest('Missing parameters');
  const given = isJson(params) ? params : {};
  const name = toolNameIn(given);
  const tool = originalTools.get(name);
  if (!tool) throw handlerError(`Handler not found: ${name}`);
  const checked = tryArguments(tool, given['arguments'] ?? {});
  if (checked instanceof OriginalError) {
    // Permission comes first, and the listing tells it.
    if (!(await names()).has(name)) throw forbidden(tool);
    throw checked;
  }
  const message = await send(
    { method: 'tools/call', params: { name, arguments: checked } },
    { endpoint, caller },
    ports,
  );
  return resultOf(message, tool);
}

function greet(method: string): unknown {
  if (method === 'initialize') return greeting;
  if (method === 'notifications/initialized') return null;
  throw methodNotFound(method);
}

function toolNameIn(params: Json): string {
  const { name } = params;
  if (typeof name === 'string') return name;
  if (name === undefined) throw invalidRequest('Missing tool name');
  throw invalidRequest(`Invalid tool name: invalid type: ${typeName(name)}, expected a string`);
}

function tryArguments(tool: OriginalTool, given: unknown): Json | OriginalError {
  try {
    return tool.toArguments(given);
  } catch (thrown) {
    if (thrown instanceof OriginalError) return thrown;
    throw thrown;
  }
}

const forbidden = ({ permission }: OriginalTool): OriginalError =>
  handlerError(`Permission denied: required ${permission}`);

function toListing(names: ReadonlySet<string>): readonly Json[] {
  return [...originalTools]
    .filter(([name]) => names.has(name))
    .map(([name, { description, inputSchema }]) => ({ name, description, inputSchema }));
}

interface Target {
  readonly endpoint: Endpoint;
  readonly caller: Caller;
}

async function listNames(target: Target, ports: AnswerPorts): Promise<ReadonlySet<string>> {
  const { result } = await send({ method: 'tools/list' }, target, ports);
  const tools: unknown = isJson(result) ? result['tools'] : undefined;
  if (!Array.isArray(tools)) throw internal('the endpoint listed no tools');
  return new Set(tools.map((tool: unknown) => (isJson(tool) ? String(tool['name']) : '')));
}

/** Resolves with the JSON-RPC answer. @throws {OriginalError} for a status other than success. */
async function send(
  message: Json,
  { endpoint, caller }: Target,
  { post, signal }: AnswerPorts,
): Promise<Json> {
  const body = JSON.stringify({ jsonrpc: '2.0', id: 1, ...message });
  const { status, messages } = await post({ endpoint, headers: {}, body, signal });
  let text = '';
  for await (const each of messages) text = each;
  if (status === 401 || status === 403) throw tenantUnauthorized(caller.tenant);
  if (status >= 400) throw internal(errorIn(text)?.message ?? `HTTP status ${status}`);
  return parsed(text) ?? {};
}

function resultOf({ result, error }: Json, tool: OriginalTool): unknown {
  if (isJson(error)) {
    const fault = faultIn(error);
    if (fault === 'unknown_tool') throw forbidden(tool);
    if (fault === 'quota_exceeded') throw rateLimited();
    throw handlerError(`Internal handler error: ${String(error['message'])}`);
  }
  if (!isJson(result)) throw internal('the endpoint gave no result');
  if (result['isError'] === true) throw toOriginal(result);
  return result['structuredContent'];
}

function late(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms).unref();
  });
}
