/** The seam between one HTTP request and the protocol: what the one knows and the other does not. */
import type { Fault } from '../../shared/faults.ts';
import type { Principal } from '../../shared/tenants/tenant.ts';

/** A request that this server has for its client, as MCP names it. */
export interface Question {
  readonly method: string;
  readonly params?: unknown;
}

/** What a 2025-era client wants to be told, kept for its session. Each throws a `Fault`. */
export interface SessionWishes {
  /** @throws {Fault} `quota_exceeded` if the tenant's sessions watch as much as they may. */
  watch(uri: string): Promise<void>;
  unwatch(uri: string): Promise<void>;
  setLevel(level: string): Promise<void>;
  /** Undefined if the client named none. */
  level(): Promise<string | undefined>;
}

export interface McpExchange {
  readonly principal: Principal;
  readonly era: 'modern' | 'legacy';
  /** Whether the client knows links to resources as part of a result. */
  readonly takesLinks: boolean;
  /** As the HTTP headers carry them, unchecked. */
  readonly idempotencyKey: string | undefined;
  readonly traceparent: string | undefined;
  /** Begins the request's one call. Its signal aborts if the client cancels before `settle`. */
  startCall(): { readonly signal: AbortSignal; readonly settle: () => void };
  /** Answers with an HTTP status instead. False if the head of the answer has gone. */
  refuse(fault: Fault): boolean;
  /** True while the client does not read what it was sent. */
  congested(): boolean;
  /**
   * Sends a request to a 2025-era client on the open stream of this one, and resolves with its
   * result, wherever it is posted. Absent if this client cannot be asked.
   * @throws {Fault} `tool_failed` if it answers with an error, or not in time.
   */
  readonly ask?: ((question: Question, signal: AbortSignal) => Promise<unknown>) | undefined;
  /** Absent without a session. */
  readonly wishes?: SessionWishes | undefined;
}
