/**
 * The only error map: where each fault becomes visible, and in which words.
 * A tool fault is a result that the model can act on; an rpc fault is a protocol error for the
 * client program; an http fault is a status for whatever stands between.
 */
import {
  ProtocolError,
  ProtocolErrorCode,
  type CallToolResult,
} from '@modelcontextprotocol/server';
import { Fault, type FaultCode } from '../../shared/faults.ts';
import { MissingScope } from '../../shared/identity/token-verifier.ts';

type Surface =
  | { readonly on: 'http'; readonly status: 401 | 403 | 499 | 503 }
  | { readonly on: 'rpc'; readonly code: ProtocolErrorCode; readonly redact?: true }
  | { readonly on: 'tool' };

/** Adding a fault code without deciding its surface is a compile error. */
export const surfaces: Readonly<Record<FaultCode, Surface>> = {
  unauthenticated: { on: 'http', status: 401 },
  insufficient_scope: { on: 'http', status: 403 },
  tenant_suspended: { on: 'http', status: 403 },
  overloaded: { on: 'http', status: 503 },
  cancelled: { on: 'http', status: 499 },
  unknown_tool: { on: 'rpc', code: ProtocolErrorCode.InvalidParams },
  internal: { on: 'rpc', code: ProtocolErrorCode.InternalError, redact: true },
  invalid_arguments: { on: 'tool' },
  quota_exceeded: { on: 'tool' },
  backlog_full: { on: 'tool' },
  storage_full: { on: 'tool' },
  payload_too_large: { on: 'tool' },
  idempotency_conflict: { on: 'tool' },
  outcome_unknown: { on: 'tool' },
  timed_out: { on: 'tool' },
  tool_failed: { on: 'tool' },
};

/** The same for a tool that does not exist and for one the principal may not use. */
export const unknownTool = (name: string): Fault =>
  new Fault('unknown_tool', `Unknown tool: ${name}`);

/**
 * The result that tells the model what went wrong.
 * @throws {ProtocolError} for faults that the client program must see instead of the model. An
 * http fault comes here only once the head of the answer has gone. `takesLinks` is false for
 * clients that would take a link to a resource for a broken result.
 */
export function toToolResult(fault: Fault, takesLinks: boolean): CallToolResult {
  const surface = surfaces[fault.code];
  switch (surface.on) {
    case 'tool':
      return {
        isError: true,
        content: [
          { type: 'text', text: withWaitingTime(fault) },
          ...(fault.link && takesLinks ? [{ type: 'resource_link' as const, ...fault.link }] : []),
        ],
        _meta: marks(fault),
      };
    case 'rpc':
      throw new ProtocolError(
        surface.code,
        surface.redact ? 'Internal error' : fault.message,
        marks(fault),
      );
    case 'http':
      throw new ProtocolError(ProtocolErrorCode.InternalError, 'Unavailable', marks(fault));
  }
}

/** The same for methods whose results are not for the model: resources, prompts, completion. */
export function toProtocolError(fault: Fault): ProtocolError {
  const surface = surfaces[fault.code];
  const isPublic = surface.on === 'tool' || (surface.on === 'rpc' && !surface.redact);
  const code =
    fault.code === 'invalid_arguments' || fault.code === 'unknown_tool'
      ? ProtocolErrorCode.InvalidParams
      : ProtocolErrorCode.InternalError;
  const message = surface.on === 'http' ? 'Unavailable' : 'Internal error';
  return new ProtocolError(code, isPublic ? withWaitingTime(fault) : message, marks(fault));
}

/** An answer outside the protocol's own course: status, headers, and a JSON body. */
export interface HttpAnswer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body: string;
}

export type RequestId = string | number | null;

/** A JSON-RPC error under an HTTP status. */
export function httpError(
  status: number,
  error: { readonly code: number; readonly message: string; readonly data?: unknown },
  options: { readonly id?: RequestId; readonly headers?: Readonly<Record<string, string>> } = {},
): HttpAnswer {
  const { id = null, headers = {} } = options;
  return { status, headers, body: JSON.stringify({ jsonrpc: '2.0', id, error }) };
}

/** What a refusal may say of the request, beside the fault. */
export interface Refused {
  readonly id?: RequestId;
  readonly tokenSent?: boolean;
  /** RFC 9728: where a client learns who issues tokens for this resource. */
  readonly metadataUrl?: string | undefined;
}

/** The answer to a request that ends with an http fault. Any other fault is an internal error here. */
export function toHttpAnswer(fault: Fault, refused: Refused = {}): HttpAnswer {
  const { id = null } = refused;
  const surface = surfaces[fault.code];
  if (surface.on !== 'http') {
    const error = { code: ProtocolErrorCode.InternalError, message: 'Internal error' };
    return httpError(500, error, { id });
  }
  const { status } = surface;
  const code =
    status === 401 || status === 403
      ? ProtocolErrorCode.InvalidRequest
      : ProtocolErrorCode.InternalError;
  const error = { code, message: fault.message, data: marks(fault) };
  return httpError(status, error, { id, headers: headersFor(fault, refused) });
}

function headersFor(fault: Fault, refused: Refused): Record<string, string> {
  if (fault.code === 'unauthenticated' || fault.code === 'insufficient_scope') {
    return { 'www-authenticate': challenge(fault, refused) };
  }
  if (fault.code === 'overloaded') return { 'retry-after': `${waitSeconds(fault.retryAfterMs)}` };
  return {};
}

function challenge(fault: Fault, { tokenSent = true, metadataUrl }: Refused): string {
  const error = fault.code === 'unauthenticated' ? 'invalid_token' : fault.code;
  const parameters = [
    // RFC 6750: a request without any token gets no error code.
    ...(tokenSent ? [`error="${error}"`] : []),
    ...(fault instanceof MissingScope ? [`scope="${fault.scope}"`] : []),
    ...(metadataUrl === undefined ? [] : [`resource_metadata="${metadataUrl}"`]),
  ];
  return ['Bearer', parameters.join(', ')].join(' ').trimEnd();
}

const waitSeconds = (retryAfterMs = 0): number => Math.max(1, Math.ceil(retryAfterMs / 1_000));

function withWaitingTime({ message, retryAfterMs }: Fault): string {
  if (retryAfterMs === undefined || /Retry in \d+ s\.$/.test(message)) return message;
  const sentence = /[.!?]$/.test(message) ? message : `${message}.`;
  return `${sentence} Retry in ${waitSeconds(retryAfterMs)} s.`;
}

function marks({ code, retryAfterMs }: Fault): Record<string, unknown> {
  const mark = { 'agent-mesh/fault': code };
  return retryAfterMs === undefined ? mark : { ...mark, 'agent-mesh/retryAfterMs': retryAfterMs };
}
