/**
 * The protocol: one SDK `Server` per request, for both eras. Lists the tools that the principal
 * may use and turns `tools/call` into a `ToolCall`. Envelope, headers, versions, `initialize` and
 * `server/discover` are the SDK's. Nothing but a `Fault` or a `ProtocolError` has a public message.
 */
import {
  createMcpHandler,
  Server,
  type CallToolResult,
  type McpRequestContext,
  type ServerContext,
} from '@modelcontextprotocol/server';
import { Fault } from '../../shared/faults.ts';
import type { Progress } from '../../shared/queue/invocation.ts';
import { mayUse, type Principal } from '../../shared/tenants/tenant.ts';
import type { ToolContract } from '../../shared/tools/contract.ts';
import { surfaces, toToolResult, unknownTool } from './respond.ts';
import type { CallTool } from './tool-call.ts';
import type { ToolListing } from './tool-listing.ts';

/** What one HTTP request knows and the protocol does not. */
export interface McpExchange {
  readonly principal: Principal;
  /** As the HTTP headers carry them, unchecked. */
  readonly idempotencyKey: string | undefined;
  readonly traceparent: string | undefined;
  /** Begins the request's one call. Its signal aborts if the client cancels before `settle`. */
  startCall(): { readonly signal: AbortSignal; readonly settle: () => void };
  /** Answers with an HTTP status instead. False if the head of the answer has gone. */
  refuse(fault: Fault): boolean;
  /** True while the client does not read what it was sent. */
  congested(): boolean;
}

export interface McpPorts {
  readonly catalog: ReadonlyMap<string, ToolContract>;
  readonly listing: ToolListing;
  readonly callTool: CallTool;
  readonly version: string;
  /** Told once of every failure whose text stays inside. */
  readonly onProblem: (what: string, cause: unknown) => void;
}

export interface Mcp {
  /** Answers one parsed message. `request` carries its headers and no body. */
  answer(request: Request, body: unknown, exchange: McpExchange): Promise<Response>;
  close(): Promise<void>;
}

const instructions =
  'Tools for one tenant of an AWS account: a key-value store, artifacts, and events. ' +
  'A failed call says what to change; one that ends with "Retry in N s." may be repeated after that time.';

/** How long a client may keep the list. Tenants see different tools, so a shared cache must never keep it. */
const listHint = { ttlMs: 60_000, cacheScope: 'private' } as const;

/** A server that knows no method yet. Older clients get no word of changes, and are told so. */
export function createServer(version: string, era: McpRequestContext['era']): Server {
  return new Server(
    { name: 'agent-mesh', version },
    {
      capabilities: { tools: era === 'modern' ? { listChanged: true } : {} },
      instructions,
      cacheHints: { 'tools/list': listHint, 'server/discover': listHint },
    },
  );
}

export function createMcp(ports: McpPorts): Mcp {
  const exchanges = new WeakMap<Request, McpExchange>();

  const serve = ({ era, requestInfo }: McpRequestContext): Server => {
    const exchange = requestInfo && exchanges.get(requestInfo);
    if (!exchange) throw new Error('The SDK replaced the request');
    const server = createServer(ports.version, era);
    server.setRequestHandler('tools/list', () => ports.listing.listFor(exchange.principal));
    server.setRequestHandler('tools/call', ({ params }, context) =>
      call({ name: params.name, input: params.arguments ?? {}, context }, exchange, ports),
    );
    return server;
  };
  // Its bus would tell every tenant's streams: they are served by `subscriptions.ts`.
  const handler = createMcpHandler(serve, { maxSubscriptions: 0 });

  return {
    async answer(request, body, exchange) {
      exchanges.set(request, exchange);
      return handler.fetch(request, { parsedBody: body });
    },
    close: () => handler.close(),
  };
}

async function call(
  request: {
    readonly name: string;
    readonly input: Record<string, unknown>;
    readonly context: ServerContext;
  },
  exchange: McpExchange,
  ports: McpPorts,
): Promise<CallToolResult> {
  const { name, context } = request;
  const { principal } = exchange;
  const { signal, settle } = exchange.startCall();
  try {
    const contract = ports.catalog.get(name);
    // Before the arguments: their faults would tell that a hidden tool exists.
    if (!contract || !mayUse(principal, contract.permission)) throw unknownTool(name);
    const result = await ports.callTool({
      principal,
      name,
      arguments: request.input,
      signal,
      onProgress: forwardProgress(context, exchange),
      traceparent: traceparentOf(context.mcpReq._meta?.['traceparent'] ?? exchange.traceparent),
      idempotencyKey: idempotencyKeyOf(context, exchange),
    });
    return parseResult(result);
  } catch (thrown) {
    const fault = Fault.from(thrown);
    // An internal fault without a cause came with the reply, and is in the worker's log.
    if (fault.cause !== undefined) ports.onProblem(`${fault.code}: ${fault.message}`, fault.cause);
    if (surfaces[fault.code].on === 'http') exchange.refuse(fault);
    return toToolResult(fault);
  } finally {
    settle();
  }
}

/** The SDK takes an object, and checks it against the protocol's schema. */
function parseResult(json: string): CallToolResult {
  try {
    return JSON.parse(json);
  } catch {
    // The parser's own error quotes the result, which must not reach a log.
    throw new Fault('internal', 'Internal error', { cause: new Error('A result was not JSON') });
  }
}

/**
 * Progress as notifications, if the client asked for it. A re-run starts over, and the protocol
 * wants increasing values: others are dropped. So are those that a client is too slow to read.
 */
function forwardProgress(
  { mcpReq }: ServerContext,
  exchange: McpExchange,
): ((progress: Progress) => void) | undefined {
  const progressToken = mcpReq._meta?.progressToken;
  if (progressToken === undefined) return undefined;
  let last = -Infinity;
  return ({ progress, total, message }) => {
    if (progress <= last || mcpReq.signal.aborted || exchange.congested()) return;
    last = progress;
    const params = {
      progressToken,
      progress,
      ...(total !== undefined && { total }),
      ...(message !== undefined && { message }),
    };
    // It fails only if the client has gone, which the exchange notices by itself.
    mcpReq.notify({ method: 'notifications/progress', params }).catch(() => undefined);
  };
}

/** @throws {Fault} `invalid_arguments` */
function idempotencyKeyOf(context: ServerContext, exchange: McpExchange): string | undefined {
  const inBody = context.mcpReq._meta?.['agent-mesh/idempotencyKey'];
  const key = inBody ?? exchange.idempotencyKey;
  if (key === undefined) return undefined;
  if (typeof key !== 'string' || !/^[\x20-\x7e]{1,255}$/.test(key)) {
    throw new Fault(
      'invalid_arguments',
      'An idempotency key must be 1 to 255 printable ASCII characters',
    );
  }
  if (exchange.idempotencyKey !== undefined && exchange.idempotencyKey !== key) {
    throw new Fault('invalid_arguments', 'The header and _meta carry different idempotency keys');
  }
  return key;
}

/** Undefined unless it is a trace context of the known version. */
function traceparentOf(value: unknown): string | undefined {
  if (typeof value !== 'string') return undefined;
  return /^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$/.test(value) ? value : undefined;
}
