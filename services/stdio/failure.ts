/** What went wrong on the way to an ingress, as the JSON-RPC error that its client can act on. */
import { isJson, type Id, type Json, type Message } from './message.ts';
import { Unreachable, type Answer } from './post.ts';

export interface RpcError {
  readonly code: number;
  readonly message: string;
  readonly data?: unknown;
}

const parseError = -32_700;
const invalidRequest = -32_600;
const internalError = -32_603;
const unreachableRetryMs = 1_000;

export const tooLong = (maxBytes: number): RpcError => ({
  code: invalidRequest,
  message: `The message is larger than ${maxBytes} bytes. Larger objects go by presigned URL.`,
});

export const notJson = (cause: unknown): RpcError => ({
  code: parseError,
  message: `Parse error: ${textOf(cause)}`,
});

export function toErrorText(id: Id | null, error: RpcError): string {
  return JSON.stringify({ jsonrpc: '2.0', id, error });
}

/** No answer came. */
export function toTransportError(cause: unknown, message: Message): RpcError {
  if (cause instanceof Unreachable) {
    return {
      code: internalError,
      message: `The endpoint cannot be reached: ${textOf(cause)}. Retry in 1 s.`,
      data: { 'agent-mesh/fault': 'overloaded', 'agent-mesh/retryAfterMs': unreachableRetryMs },
    };
  }
  const lost = `The connection was lost before the answer: ${textOf(cause)}.`;
  return message.method === 'tools/call'
    ? {
        code: internalError,
        message: `${lost} The call may or may not have run; check before calling again.`,
        data: { 'agent-mesh/fault': 'outcome_unknown' },
      }
    : { code: internalError, message: `${lost} Try again.` };
}

/** An HTTP status other than success: the ingress's own error if the body is one. */
export function toStatusError({ status, headers }: Answer, body: string): RpcError {
  const error = errorIn(body) ?? {
    code: internalError,
    message: `The endpoint answered with HTTP status ${status}`,
  };
  if (status === 401) return { ...error, message: `${error.message}. See AGENT_MESH_TOKEN.` };
  if (status === 404) return { ...error, message: `${error.message}. See AGENT_MESH_URL.` };
  const seconds = headers['retry-after'];
  if (seconds === undefined || /Retry in \d+ s\.$/.test(error.message)) return error;
  return { ...error, message: `${error.message}. Retry in ${seconds} s.` };
}

/** Whether the person who set this up should hear of it too: no other message would have fared better. */
export function isOfEndpoint({ status }: Answer): boolean {
  return status === 401 || status === 403 || status === 404 || status >= 500;
}

export function errorIn(body: string): RpcError | undefined {
  const error = parsed(body)?.['error'];
  if (!isJson(error)) return undefined;
  const { code, message, data } = error;
  if (typeof code !== 'number' || typeof message !== 'string') return undefined;
  return data === undefined ? { code, message } : { code, message, data };
}

/** Undefined unless the text is a JSON object. */
export function parsed(text: string): Json | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isJson(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

export function textOf(cause: unknown): string {
  if (!(cause instanceof Error)) return String(cause);
  // Node's own for several addresses that all failed has no message.
  return cause.message === '' && 'code' in cause ? String(cause.code) : cause.message.trim();
}
