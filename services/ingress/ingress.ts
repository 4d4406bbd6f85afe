/**
 * A whole ingress from its ports: how it listens, and how it stops. Reads no configuration and
 * opens no connection to anything behind it.
 */
import type { TenantId } from '../../shared/ids.ts';
import type { Change } from '../../shared/queue/change-events.ts';
import type { TenantChange } from '../../shared/tenants/tenant-changes.ts';
import type { SessionStates } from '../../shared/sessions/session-states.ts';
import type { Principal } from '../../shared/tenants/tenant.ts';
import type { ToolContract } from '../../shared/tools/contract.ts';
import { createAnswerPlainCall } from './answer-plain-call.ts';
import { assertAuthAllowed, type Auth, type TenantDirectory, type Tokens } from './authenticate.ts';
import { createCancellations, type CancellationChannel } from './cancellations.ts';
import { createHttp, type RequestRecord } from './http.ts';
import { createMcpRoute } from './mcp-route.ts';
import { createMcp, createServer } from './mcp.ts';
import { withConformance } from './offers/conformance-offers.ts';
import { createMeshOffers } from './offers/mesh-offers.ts';
import { createFindPlainCall } from './plain-call.ts';
import type { ProtectedResource } from './protected-resource.ts';
import { createQuestions, type AnswerChannel } from './questions.ts';
import { createRequestStates } from './request-state.ts';
import { createSessions, type SessionsPorts } from './session.ts';
import { createListeners } from './streams/listeners.ts';
import { createSessionStreams } from './streams/session-streams.ts';
import type { TaskNews } from './streams/task-news.ts';
import { createSubscriptions } from './streams/subscriptions.ts';
import type { Tasks } from './tasks.ts';
import type { CallTool } from './tool-call.ts';
import { createToolListing } from './offers/tool-listing.ts';

export interface IngressPorts {
  readonly catalog: ReadonlyMap<string, ToolContract>;
  readonly callTool: CallTool;
  /** Hears of calls to tools that the principal may not use, and to unknown ones, without their name. */
  readonly onForbidden?: ((principal: Principal, tool: string | undefined) => void) | undefined;
  /** Hears of callers whose tenant is suspended. */
  readonly onSuspended?: ((principal: Principal) => void) | undefined;
  readonly directory: TenantDirectory;
  readonly cancellations: CancellationChannel;
  /** Absent: tools cannot ask 2025-era clients. */
  readonly answers?: AnswerChannel | undefined;
  /** Absent: no call becomes a task. */
  readonly tasks?: Tasks | undefined;
  /** Absent: nobody can listen for tasks. */
  readonly taskNews?: TaskNews | undefined;
  /** Absent: API keys alone are accepted. */
  readonly tokens?: Tokens | undefined;
  /** The same keys and the same store at every ingress of a cluster. */
  readonly sessions: Pick<SessionsPorts, 'keys' | 'store'> & {
    /** Absent: 2025-era clients hear of changes only by asking. */
    readonly states?: SessionStates;
  };
  /** Absent: by the short path. Both answer alike, which a test sees from the difference. */
  readonly plainCalls?: 'through the SDK';
  readonly onRequest: (record: RequestRecord) => void;
  /** Told once of every failure whose text stays inside. */
  readonly onProblem: (what: string, cause: unknown) => void;
}

export interface IngressOptions {
  readonly version: string;
  readonly auth: Auth;
  /** Offers what the conformance suite looks for. Its tools must be in the catalog. */
  readonly conformance?: boolean;
  readonly host: string;
  readonly port: number;
  readonly allowedHosts: readonly string[];
  /** What OAuth clients are told. Absent: nothing. */
  readonly resource?: ProtectedResource | undefined;
  /** The most streams of one tenant that wait for changes. Default 100. */
  readonly streamsPerTenant?: number;
  /** The same for all tenants. Default 1,000. */
  readonly streams?: number;
  /** Milliseconds between signs of life on a session's stream. Default 15,000. */
  readonly aliveMs?: number;
  /** Milliseconds after which a session with a stream is looked at unasked. Default 20,000. */
  readonly lookMs?: number;
  /** Milliseconds after which a call becomes a task. Default 5,000. */
  readonly taskAfterMs?: number;
  /** Milliseconds a client has to send a whole request. Default 30,000. */
  readonly requestTimeoutMs?: number;
  /** Milliseconds without progress after which a client that does not read is cut off. Default 30,000. */
  readonly stallMs?: number;
}

export interface Ingress {
  /** Resolves with the endpoint's URL once it accepts connections. */
  listen(): Promise<string>;
  /**
   * Stops accepting and answers what was accepted, for at most `drainMs`. What is unanswered
   * then loses its connection, as if the network had failed.
   */
  drain(drainMs: number): Promise<void>;
  readonly isDraining: boolean;
  /** Requests that have no whole answer yet. */
  readonly inFlight: number;
  /** Tells the clients that wait for it, once the directory reads the change. */
  onTenantChange(change: TenantChange): void;
  /** The same for what a worker has announced. */
  onChange(tenant: TenantId, change: Change): void;
  /** The same for a session that has changed or ended. */
  onSession(id: string): void;
  /** Streams that wait for changes. */
  readonly streams: number;
}

/** @throws {Error} if auth is off on an address that others can reach. */
export function createIngress(options: IngressOptions, ports: IngressPorts): Ingress {
  const { auth, requestTimeoutMs = 30_000, stallMs = 30_000 } = options;
  const { streamsPerTenant = 100, streams = 1_000 } = options;
  assertAuthAllowed(auth, options.host);
  let isDraining = false;
  const listing = createToolListing(ports.catalog);
  const { version, conformance = false } = options;
  const meshOffers = createMeshOffers(ports.catalog);
  const offers = conformance ? withConformance(meshOffers) : meshOffers;
  const states = createRequestStates(ports.sessions.keys);
  const { tasks } = ports;
  const tellsSessions = ports.sessions.states !== undefined;
  const serverOptions = { version, logging: conformance, tasks, tellsSessions };
  const mcp = createMcp({
    ...ports,
    ...serverOptions,
    taskAfterMs: options.taskAfterMs ?? 5_000,
    listing,
    offers,
    states,
  });
  const questions = ports.answers && createQuestions(ports.answers);
  const mayRead = (uri: string, principal: Principal) => offers.mayRead(uri, principal);
  const listeners = createListeners({
    mayRead,
    toolsKey: (principal) => listing.keyFor(principal),
    maxPerTenant: streamsPerTenant,
    max: streams,
  });
  const subscriptions = createSubscriptions({
    serve: ({ era }) => createServer(serverOptions, era),
    listeners,
    news: ports.taskNews,
  });
  const exchangePorts = {
    ...ports,
    stallMs,
    cancellations: createCancellations(ports.cancellations),
    questions,
    sessions: createSessions({ ...ports.sessions, onProblem: ports.onProblem }),
    states: ports.sessions.states,
  };
  const sessionStreams =
    exchangePorts.states &&
    createSessionStreams({
      ...options,
      ...exchangePorts,
      states: exchangePorts.states,
      listeners,
      mayRead,
    });
  const plain = {
    find: createFindPlainCall(ports.catalog),
    answer: createAnswerPlainCall({ ...exchangePorts, version }),
  };
  const http = createHttp({
    ...ports,
    resource: options.resource,
    allowedHosts: options.allowedHosts,
    requestTimeoutMs,
    mcp: createMcpRoute({
      ...exchangePorts,
      mcp,
      plain: ports.plainCalls === 'through the SDK' ? undefined : plain,
      auth,
      subscriptions,
      streams: sessionStreams,
    }),
  });

  return {
    async listen() {
      const url = await http.app.listen({ host: options.host, port: options.port });
      return `${url}/mcp`;
    },
    async drain(drainMs) {
      isDraining = true;
      const drained = http.drain(drainMs);
      // A stream has no end of its own to wait for.
      await listeners.close();
      await drained;
      await mcp.close();
      exchangePorts.cancellations.close();
      questions?.close();
    },
    onTenantChange: (change) => listeners.onChange(change),
    onChange(tenant, change) {
      if (change.kind === 'task') ports.taskNews?.onTask(change.task);
      else listeners.tell(tenant, change);
    },
    onSession: (id) => sessionStreams?.onSession(id),
    get isDraining() {
      return isDraining;
    },
    get inFlight() {
      return http.inFlight();
    },
    get streams() {
      return listeners.size;
    },
  };
}
