/**
 * The protocol: one SDK `Server` per request, for both eras. Tools, resources and prompts that the
 * principal may use. Envelope, headers, versions, `initialize` and `server/discover` are the SDK's.
 * Nothing but a `Fault` or a `ProtocolError` has a public message.
 */
import {
  createMcpHandler,
  ProtocolError,
  type CallToolResult,
  type McpRequestContext,
  type ServerContext,
} from '@modelcontextprotocol/server';
import { Fault } from '../../shared/faults.ts';
import { mayUse, type Principal } from '../../shared/tenants/tenant.ts';
import type { ToolContract } from '../../shared/tools/contract.ts';
import { converse, type ConversePorts, type Result } from './converse.ts';
import type { McpExchange } from './mcp-exchange.ts';
import { addOffers } from './offers/offer-requests.ts';
import type { Offers } from './offers/offers.ts';
import { OwnServer } from './own-server.ts';
import { surfaces, toToolResult, unknownTool } from './respond.ts';
import { addTasks, taskTerms, tasksExtension } from './task-requests.ts';
import type { Tasks } from './tasks.ts';
import type { ToolListing } from './offers/tool-listing.ts';

export interface McpPorts extends ConversePorts {
  readonly catalog: ReadonlyMap<string, ToolContract>;
  readonly listing: ToolListing;
  readonly offers: Offers;
  readonly version: string;
  /** Absent: the tasks extension is not offered. */
  readonly tasks?: Tasks | undefined;
  /** Milliseconds after which a call becomes a task, for clients that take tasks. */
  readonly taskAfterMs: number;
  /** Whether 2025-era clients hear of changes on a stream of their session. */
  readonly tellsSessions: boolean;
  /** Whether tools may write to the client's log. */
  readonly logging: boolean;
  /** Hears of calls to tools that the principal may not use, and to unknown ones, without their name. */
  readonly onForbidden?: ((principal: Principal, tool: string | undefined) => void) | undefined;
  /** Told once of every failure whose text stays inside. */
  readonly onProblem: (what: string, cause: unknown) => void;
}

type ServerOptions = Pick<McpPorts, 'version' | 'logging' | 'tasks' | 'tellsSessions'>;

export interface Mcp {
  /** Answers one parsed message. `request` carries its headers and no body. */
  answer(request: Request, body: unknown, exchange: McpExchange): Promise<Response>;
  close(): Promise<void>;
}

const instructions =
  'Tools for one tenant of an AWS account: a key-value store, artifacts, and events. ' +
  'A failed call says what to change; one that ends with "Retry in N s." may be repeated after that time.';

/** How long a client may keep a list. Tenants see different ones, so a shared cache must never keep them. */
const listHint = { ttlMs: 60_000, cacheScope: 'private' } as const;
/** What is stored changes at any time. */
const freshHint = { ttlMs: 0, cacheScope: 'private' } as const;

/** A server that knows no method yet. */
export function createServer(
  { version, logging, tasks, tellsSessions }: ServerOptions,
  era: McpRequestContext['era'],
): OwnServer {
  const isModern = era === 'modern';
  const tells = isModern || tellsSessions;
  return new OwnServer(
    { name: 'agent-mesh', version },
    {
      capabilities: {
        tools: tells ? { listChanged: true } : {},
        // They never change, except for the suite that wants to see it.
        prompts: tells && logging ? { listChanged: true } : {},
        resources: tells ? { subscribe: true } : {},
        completions: {},
        ...(isModern && tasks && { extensions: { [tasksExtension]: {} } }),
        ...(logging && { logging: {} }),
      },
      instructions,
      // Older clients are asked by `questions.ts`, whichever ingress their answers reach.
      inputRequired: { legacyShim: false },
      cacheHints: {
        'tools/list': listHint,
        'server/discover': listHint,
        'prompts/list': listHint,
        'resources/templates/list': listHint,
        'resources/list': freshHint,
        'resources/read': freshHint,
      },
    },
  );
}

export function createMcp(ports: McpPorts): Mcp {
  const exchanges = new WeakMap<Request, McpExchange>();

  const serve = ({ era, requestInfo }: McpRequestContext): OwnServer => {
    const exchange = requestInfo && exchanges.get(requestInfo);
    if (!exchange) throw new Error('The SDK replaced the request');
    const server = createServer(ports, era);
    server.principal = exchange.principal;
    server.setRequestHandler('tools/list', () => ports.listing.listFor(exchange.principal));
    server.setRequestHandler('tools/call', ({ params }, context) =>
      call({ name: params.name, input: params.arguments ?? {}, context }, exchange, ports),
    );
    addOffers(server, exchange, ports);
    if (ports.tasks && era === 'modern') addTasks(server, ports.tasks, exchange);
    return server;
  };
  // Its bus would tell every tenant's streams: they are served by `streams/`.
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
  const { signal, settle } = exchange.startCall();
  try {
    const contract = ports.catalog.get(name);
    // Before the arguments: their faults would tell that a hidden tool exists.
    if (!contract || contract.hidden || !mayUse(exchange.principal, contract.permission)) {
      ports.onForbidden?.(exchange.principal, contract?.name);
      throw unknownTool(name);
    }
    const result = await converse(
      {
        method: 'tools/call',
        subject: name,
        tool: name,
        arguments: request.input,
        raw: contract.raw !== undefined,
        context,
        signal,
        task: ports.tasks && taskTerms(contract, context, ports.taskAfterMs),
      },
      exchange,
      ports,
    );
    return toCallToolResult(result);
  } catch (thrown) {
    if (thrown instanceof ProtocolError) throw thrown;
    const fault = Fault.from(thrown);
    // An internal fault without a cause came with the reply, and is in the worker's log.
    if (fault.cause !== undefined) ports.onProblem(`${fault.code}: ${fault.message}`, fault.cause);
    if (surfaces[fault.code].on === 'http') exchange.refuse(fault);
    return toToolResult(fault, exchange.takesLinks);
  } finally {
    settle();
  }
}

function toCallToolResult(result: Result): CallToolResult {
  // eslint-disable-next-line typescript/no-unsafe-type-assertion -- the SDK checks it against the protocol's schema
  return result as unknown as CallToolResult;
}
