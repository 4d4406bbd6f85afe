/**
 * The seam between the protocol in front and the queue behind: what a call is, and how it ends.
 * `mcp.ts` makes calls; `call-tool.ts` carries them out.
 */
import type { ClientSide, LogNotice, Progress } from '../../shared/queue/invocation.ts';
import type { InvocationId } from '../../shared/ids.ts';
import type { Principal } from '../../shared/tenants/tenant.ts';

/** One `tools/call` as the client sees it. */
export interface ToolCall {
  readonly principal: Principal;
  readonly name: string;
  readonly arguments: Record<string, unknown>;
  /** Aborts when the client cancels an unsettled call, with a `Fault` as its reason. Never later. */
  readonly signal: AbortSignal;
  /** Absent unless the client asked for progress. */
  readonly onProgress: ((progress: Progress) => void) | undefined;
  /** Absent unless the tool may ask the client back. */
  readonly client?: ClientSide | undefined;
  /** Absent unless the client may be told what the tool logs. */
  readonly onLog?: ((notice: LogNotice) => void) | undefined;
  /** Hears the invocation's id once it is accepted. */
  readonly onAdmitted?: ((id: InvocationId) => void) | undefined;
  /** W3C trace context, already checked for its form. */
  readonly traceparent?: string | undefined;
  /** Terms on which the client takes a task instead of the result. */
  readonly task?: TaskTerms | undefined;
  /** 1 to 255 printable ASCII characters. */
  readonly idempotencyKey?: string | undefined;
}

export interface TaskTerms {
  /** Milliseconds without a reply after which the call becomes a task. */
  readonly afterMs: number;
  /** As the client declared them. */
  readonly capabilities: Readonly<Record<string, unknown>>;
}

/** Resolves with a finished `CallToolResult`, or a task, as JSON text; everything else is a thrown `Fault`. */
export type CallTool = (call: ToolCall) => Promise<string>;
