/**
 * The errors of mcp-rust: its codes, some of which the protocol has given other meanings since,
 * and its words. They are used with `--compat mcp-rust` alone.
 */
import type { Json } from '../message.ts';
import { isJson } from '../message.ts';
import type { RpcError } from '../failure.ts';

export class OriginalError extends Error {
  override readonly name = 'OriginalError';
  readonly code: number;

  constructor(code: number, message: string) {
    super(message);
    this.code = code;
  }

  toRpc(): RpcError {
    return { code: this.code, message: this.message };
  }
}

export const invalidRequest = (what: string): OriginalError =>
  new OriginalError(-32_600, `Invalid Request: ${what}`);

export const methodNotFound = (method: string): OriginalError =>
  new OriginalError(-32_601, `Method not found: ${method}`);

export const rateLimited = (): OriginalError => new OriginalError(-32_001, 'Rate limit exceeded');

export const tenantNotFound = (tenant: string): OriginalError =>
  new OriginalError(-32_002, `Tenant error: Tenant not found: ${tenant}`);

export const tenantUnauthorized = (tenant: string): OriginalError =>
  new OriginalError(-32_002, `Tenant error: Unauthorized access for tenant: ${tenant}`);

export const handlerError = (what: string): OriginalError =>
  new OriginalError(-32_003, `Handler error: ${what}`);

export const invalidArguments = (what: string): OriginalError =>
  handlerError(`Invalid arguments: ${what}`);

export const internal = (what: string): OriginalError =>
  new OriginalError(-32_603, `Internal error: ${what}`);

/** A tool result that says what went wrong, in the original's terms. */
export function toOriginal(result: Json): OriginalError {
  const text = textIn(result);
  switch (faultIn(result)) {
    case 'quota_exceeded':
    case 'backlog_full':
      return rateLimited();
    case 'invalid_arguments':
    case 'payload_too_large':
      return invalidArguments(text);
    case 'storage_full':
    case 'tool_failed':
      return handlerError(`AWS error: ${text}`);
    default:
      return handlerError(`Internal handler error: ${text}`);
  }
}

/** The fault code in the `_meta` of a result, or the `data` of an error. */
export function faultIn(marked: Json): unknown {
  const marks = marked['_meta'] ?? marked['data'];
  return isJson(marks) ? marks['agent-mesh/fault'] : undefined;
}

function textIn({ content }: Json): string {
  const first: unknown = Array.isArray(content) ? content[0] : undefined;
  return isJson(first) && typeof first['text'] === 'string' ? first['text'] : 'no reason was given';
}
