/**
 * A whole ingress from its ports: both listeners, and how they stop. Reads no configuration and
 * opens no connection to anything behind it.
 */
import type { ToolContract } from '../../shared/tools/contract.ts';
import { createAdmin } from './admin.ts';
import { assertAuthAllowed, type Auth, type TenantDirectory } from './authenticate.ts';
import { createCancellations, type CancellationChannel } from './cancellations.ts';
import { createHttp, type RequestRecord } from './http.ts';
import { createMcpRoute } from './mcp-route.ts';
import { createMcp } from './mcp.ts';
import { createRequestMetrics } from './request-metrics.ts';
import { createSessions } from './session.ts';
import type { CallTool } from './tool-call.ts';

export interface IngressPorts {
  readonly catalog: ReadonlyMap<string, ToolContract>;
  readonly callTool: CallTool;
  readonly directory: TenantDirectory;
  readonly cancellations: CancellationChannel;
  /** Signs sessions: at least 32 bytes, the same at every ingress of a cluster. */
  readonly sessionKey: Uint8Array;
  /** Why what is behind cannot be reached; empty if it can. */
  readonly reasonsNotReady: () => Promise<readonly string[]>;
  readonly onRequest: (record: RequestRecord) => void;
  /** Told once of every failure whose text stays inside. */
  readonly onProblem: (what: string, cause: unknown) => void;
}

export interface IngressOptions {
  readonly version: string;
  readonly auth: Auth;
  readonly host: string;
  readonly port: number;
  readonly adminHost: string;
  readonly adminPort: number;
  readonly allowedHosts: readonly string[];
  /** Milliseconds a client has to send a whole request. Default 30,000. */
  readonly requestTimeoutMs?: number;
  /** Milliseconds without progress after which a client that does not read is cut off. Default 30,000. */
  readonly stallMs?: number;
}

export interface Ingress {
  /** Resolves with both addresses once they accept connections. */
  listen(): Promise<{ readonly mcp: string; readonly admin: string }>;
  /**
   * Stops accepting and answers what was accepted, for at most `drainMs`. What is unanswered
   * then loses its connection, as if the network had failed.
   */
  drain(drainMs: number): Promise<void>;
}

/** @throws {Error} if auth is off on an address that others can reach. */
export function createIngress(options: IngressOptions, ports: IngressPorts): Ingress {
  const { auth, requestTimeoutMs = 30_000, stallMs = 30_000 } = options;
  assertAuthAllowed(auth, options.host);
  let draining = false;
  const metrics = createRequestMetrics();
  const mcp = createMcp({ ...ports, version: options.version });
  const cancellations = createCancellations(ports.cancellations);
  const http = createHttp({
    ...ports,
    allowedHosts: options.allowedHosts,
    requestTimeoutMs,
    onRequest(record) {
      metrics.count(record);
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
  const admin = createAdmin({
    metrics: () => metrics.render(http.inFlight()),
    reasonsNotReady: async () => (draining ? ['Draining'] : ports.reasonsNotReady()),
  });

  return {
    async listen() {
      const adminUrl = await admin.listen({ host: options.adminHost, port: options.adminPort });
      const url = await http.app.listen({ host: options.host, port: options.port });
      return { mcp: `${url}/mcp`, admin: adminUrl };
    },
    async drain(drainMs) {
      draining = true;
      await http.drain(drainMs);
      await mcp.close();
      cancellations.close();
      await admin.close();
    },
  };
}
