/** A request as mcp-rust reads it: JSON-RPC, and beside it who is calling. */
import { textOf } from '../failure.ts';
import { isJson } from '../message.ts';
import { invalidRequest } from './original-error.ts';

export interface OriginalRequest {
  /** Any JSON; null stands for none, and makes the request a notification. */
  readonly id: unknown;
  readonly method: string;
  readonly params: unknown;
  readonly tenant: string | undefined;
  readonly user: string | undefined;
}

/** @throws {OriginalError} */
export function readRequest(text: string): OriginalRequest {
  const value = parse(text);
  if (!isJson(value)) throw invalidRequest('invalid type: expected struct MCPRequest');
  const column = Buffer.byteLength(text);
  const field = (name: string): string => {
    const found = optional(name);
    if (found === undefined) {
      throw invalidRequest(`missing field \`${name}\` at line 1 column ${column}`);
    }
    return found;
  };
  const optional = (name: string): string | undefined => {
    const found = value[name] ?? undefined;
    if (found === undefined || typeof found === 'string') return found;
    throw invalidRequest(`invalid type: ${typeName(found)}, expected a string`);
  };
  field('jsonrpc');
  optional('session_token');
  return {
    id: value['id'] ?? null,
    method: field('method'),
    params: value['params'] ?? undefined,
    tenant: optional('tenant_id'),
    user: optional('user_id'),
  };
}

/** As the original's decoder names what it found instead of text. */
export function typeName(value: unknown): string {
  if (value === null) return 'null';
  if (typeof value === 'boolean') return `boolean \`${value}\``;
  if (typeof value === 'number') {
    return Number.isInteger(value) ? `integer \`${value}\`` : `floating point \`${value}\``;
  }
  return Array.isArray(value) ? 'sequence' : 'map';
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw invalidRequest(textOf(cause));
  }
}
