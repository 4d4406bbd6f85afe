/**
 * What has to be known of a JSON-RPC message to pass it on. Everything else is the ingress's to
 * judge: its answer to a wrong message is as good as ours, and there is only one of it. No schema
 * library here, since this is on the path of a quick start.
 */

export type Id = string | number;
export type Json = Readonly<Record<string, unknown>>;

export interface Message {
  /** As it is sent on. */
  readonly text: string;
  /** Absent: a notification, or an answer to the server. */
  readonly id?: Id;
  readonly method?: string;
  readonly params: Json;
  /** The version that a message of 2026-07-28 and later carries itself; absent in older ones. */
  readonly modernVersion?: string;
}

const versionField = 'io.modelcontextprotocol/protocolVersion';

/** Fields that clients of mcp-rust put beside the protocol's own. Here the token says who calls. */
const foreignFields = ['tenant_id', 'user_id', 'session_token'];

/** @throws {SyntaxError} if the text is not JSON. */
export function readMessage(text: string): Message {
  const parsed: unknown = JSON.parse(text);
  if (!isJson(parsed)) return { text, params: {} };
  const { id, method } = parsed;
  const params = isJson(parsed['params']) ? parsed['params'] : {};
  const meta = isJson(params['_meta']) ? params['_meta'] : {};
  const version = meta[versionField];
  return {
    text: foreignFields.some((name) => name in parsed) ? withoutForeignFields(parsed) : text,
    ...(typeof id === 'string' || typeof id === 'number' ? { id } : {}),
    ...(typeof method === 'string' ? { method } : {}),
    params,
    ...(typeof version === 'string' ? { modernVersion: version } : {}),
  };
}

export function isJson(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** 1 and "1" are different ids. */
export function keyOf(id: unknown): string {
  return `${typeof id}:${String(id)}`;
}

function withoutForeignFields(message: Json): string {
  return JSON.stringify(
    Object.fromEntries(Object.entries(message).filter(([name]) => !foreignFields.includes(name))),
  );
}
