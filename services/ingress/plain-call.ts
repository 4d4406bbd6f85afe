/**
 * Recognises the plain `tools/call`: nothing in it asks for more than a tool that the principal may
 * use and the answer of that tool. It means the same to the SDK, which costs several times as much.
 * Whatever is unusual, malformed or forbidden is not plain, and is left to the SDK untouched.
 */
import type { IncomingMessage } from 'node:http';
import {
  CLIENT_CAPABILITIES_META_KEY,
  CLIENT_INFO_META_KEY,
  PROTOCOL_VERSION_META_KEY,
  SUPPORTED_PROTOCOL_VERSIONS,
} from '@modelcontextprotocol/server';
import { mayUse, type Principal } from '../../shared/tenants/tenant.ts';
import type { ToolContract } from '../../shared/tools/contract.ts';
import { eraOf, headerOf } from './mcp-message.ts';
import { acceptOf } from './node-exchange.ts';
import { tasksExtension } from './task-requests.ts';

export interface PlainCall {
  readonly id: string | number;
  readonly era: 'modern' | 'legacy';
  readonly name: string;
  readonly arguments: Record<string, unknown>;
  /** As it came, the envelope of the 2026-07-28 era included. */
  readonly meta: Readonly<Json>;
}

/** Undefined if a request is none. Nothing has been done with it then. */
export type FindPlainCall = (
  body: unknown,
  request: IncomingMessage,
  principal: Principal,
) => PlainCall | undefined;

type Json = Record<string, unknown>;

const modernVersion = '2026-07-28';
const reserved = 'io.modelcontextprotocol/';
const envelopeKeys = [
  PROTOCOL_VERSION_META_KEY,
  CLIENT_CAPABILITIES_META_KEY,
  CLIENT_INFO_META_KEY,
] as const;

export function createFindPlainCall(catalog: ReadonlyMap<string, ToolContract>): FindPlainCall {
  const isKnown = rememberEnvelopes();

  const mayCall = (name: string, principal: Principal): boolean => {
    const contract = catalog.get(name);
    if (!contract || contract.hidden || contract.raw || contract.task) return false;
    return mayUse(principal, contract.permission);
  };

  return (body, request, principal) => {
    if (!isJson(body) || !hasOnly(body, ['jsonrpc', 'id', 'method', 'params'])) return undefined;
    const { jsonrpc, id, method, params } = body;
    if (jsonrpc !== '2.0' || method !== 'tools/call' || !isId(id)) return undefined;
    if (!isJson(params) || !hasOnly(params, ['name', 'arguments', '_meta'])) return undefined;
    const { name, arguments: input = {}, _meta: meta = {} } = params;
    if (typeof name !== 'string' || !isJson(input) || Object.hasOwn(input, '__proto__')) {
      return undefined;
    }
    if (!isJson(meta) || !mayCall(name, principal)) return undefined;
    const call = { id, name, arguments: input, meta };
    if (isPlainLegacy(meta, request)) return { ...call, era: 'legacy' };
    const isModern = isPlainModern(name, meta, request) && isKnown(meta, body, request);
    return isModern ? { ...call, era: 'modern' } : undefined;
  };
}

/** Keys that the protocol keeps for itself, and may give a meaning, besides those of the envelope. */
function asksMore(meta: Json, allowed: readonly string[]): boolean {
  for (const key of Object.keys(meta)) {
    if (key === 'progressToken' || key === '__proto__') return true;
    if (key.startsWith(reserved) && !allowed.includes(key)) return true;
  }
  return false;
}

function isPlainLegacy(meta: Json, request: IncomingMessage): boolean {
  if (asksMore(meta, [])) return false;
  const version = request.headers['mcp-protocol-version'];
  if (version !== undefined && !SUPPORTED_PROTOCOL_VERSIONS.includes(String(version))) return false;
  const accept = acceptOf(request.headers.accept);
  return accept.includes('application/json') && accept.includes('text/event-stream');
}

function isPlainModern(name: string, meta: Json, request: IncomingMessage): boolean {
  return (
    meta[PROTOCOL_VERSION_META_KEY] === modernVersion &&
    headerOf(request, 'mcp-protocol-version') === modernVersion &&
    headerOf(request, 'mcp-method') === 'tools/call' &&
    headerOf(request, 'mcp-name') === name &&
    !asksMore(meta, envelopeKeys)
  );
}

/** So many envelopes are remembered, of at most this length each. */
const mostEnvelopes = 1_000;
const longestEnvelope = 2_048;

/**
 * A client sends the same envelope with every request. The SDK checks it the first time; what it
 * has accepted it would accept again. A client that takes tasks is none of a plain call.
 */
function rememberEnvelopes() {
  const known = new Map<string, boolean>();
  return (meta: Json, body: Json, request: IncomingMessage): boolean => {
    const capabilities = meta[CLIENT_CAPABILITIES_META_KEY];
    const text = JSON.stringify([capabilities, meta[CLIENT_INFO_META_KEY]]);
    const found = known.get(text);
    if (found !== undefined) return found;
    if (text.length > longestEnvelope) return false;
    const isPlain = eraOf(request, body) === 'modern' && !takesTasks(capabilities);
    if (known.size >= mostEnvelopes) known.clear();
    known.set(text, isPlain);
    return isPlain;
  };
}

const takesTasks = (capabilities: unknown): boolean =>
  isJson(capabilities) &&
  isJson(capabilities['extensions']) &&
  capabilities['extensions'][tasksExtension] !== undefined;

const isJson = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const isId = (id: unknown): id is string | number =>
  typeof id === 'string' || Number.isSafeInteger(id);

const hasOnly = (value: Json, keys: readonly string[]): boolean =>
  Object.keys(value).every((key) => keys.includes(key));
