/**
 * A whole ingress from its ports: how it listens, and how it stops. Reads no configuration and
 * opens no connection to anything behind it.
 */
import type { ToolContract } from '../../shared/tools/contract.ts';
import { assertAuthAllowed, type Auth, type TenantDirectory } from './authenticate.ts';
import { createCancellations, type CancellationChannel } from './cancellations.ts';
import { createHttp, type RequestRecord } from './http.ts';
import { createMcpRoute } from './mcp-route.ts';
import { createMcp } from './mcp.ts';
import { createSessions } from './session.ts';
import type { CallTool } from './tool-call.ts';

export interface IngressPorts {
  readonly catalog: ReadonlyMap<string, ToolContract>;
  readonly callTool: CallTool;
  readonly directory: TenantDirectory;
  readonly cancellations: CancellationChannel;
  /** Signs sessions: at least 32 bytes, the same at every ingress of a cluster. */
  readonly sessionKey: Uint8Array;
  readonly onRequest: (record: RequestRecord) => void;
  /** Told once of every failure whose text stays inside. */
  readonly onProblem: (what: string, cause: unknown) => void;
}

export interface IngressOptions {
  readonly version: string;
  readonly auth: Auth;
  readonly host: string;
  readonly port: number;
  readonly allowedHosts: readonly string[];
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
  /** Numbers for the operator, by name. Tenants are never in them: they have no bound. */
  gauges(): Readonly<Record<string, number>>;
}

/** @throws {Error} if auth is off on an address that others can reach. */
export function createIngress(options: IngressOptions, ports: IngressPorts): Ingress {
  const { auth, requestTimeoutMs = 30_000, stallMs = 30_000 } = options;
  assertAuthAllowed(auth, options.host);
  const byStatus = new Map<number, number>();
  let isDraining = false;
  const mcp = createMcp({ ...ports, version: options.version });
  const cancellations = createCancellations(ports.cancellations);
  const http = createHttp({
    ...ports,
    allowedHosts: options.allowedHosts,
    requestTimeoutMs,
    onRequest(record) {
      byStatus.set(record.status, (byStatus.get(record.status) ?? 0) + 1);
      ports.onRequest(record);
    },
    mcp: createMcpRoute({
      ...ports,
      mcp,
      auth,
      stallMs,
      cancellations,
      sessions: createSessions(ports.sessionKey),
      isTool: (name) => ports.catalog.has(name),
    }),
  });

  return {
    async listen() {
      const url = await http.app.listen({ host: options.host, port: options.port });
      return `${url}/mcp`;
    },
    async drain(drainMs) {
      isDraining = true;
      await http.drain(drainMs);
      await mcp.close();
      cancellations.close();
    },
    get isDraining() {
      return isDraining;
    },
    gauges() {
      const answered = [...byStatus].map(
        ([status, count]) => [`agent_mesh_ingress_answered_${status}`, count] as const,
      );
      return { agent_mesh_ingress_in_flight: http.inFlight(), ...Object.fromEntries(answered) };
    },
  };
}
