/** The headers that repeat for those in between what the body of a message says. */
import type { Message } from './message.ts';

/** What a 2025-era client agreed on with the server. */
export interface Handshake {
  readonly session?: string;
  readonly version?: string;
}

export function toHeaders(message: Message, handshake: Handshake): Record<string, string> {
  const { modernVersion, method, params } = message;
  if (modernVersion !== undefined) {
    const name = nameIn(method, params);
    return {
      'mcp-protocol-version': modernVersion,
      ...(method === undefined ? {} : { 'mcp-method': method }),
      ...(typeof name === 'string' ? { 'mcp-name': toFieldValue(name) } : {}),
    };
  }
  if (method === 'initialize') return {};
  const { session, version } = handshake;
  return {
    ...(session === undefined ? {} : { 'mcp-session-id': session }),
    ...(version === undefined ? {} : { 'mcp-protocol-version': version }),
  };
}

function nameIn(method: string | undefined, params: Message['params']): unknown {
  if (method === 'tools/call' || method === 'prompts/get') return params['name'];
  if (method === 'resources/read') return params['uri'];
  return method?.startsWith('tasks/') ? params['taskId'] : undefined;
}

/** What a header cannot carry as it is goes as Base64 between the protocol's marks. */
function toFieldValue(text: string): string {
  const isPlain = /^[\x21-\x7e](?:[\t\x20-\x7e]*[\x21-\x7e])?$/.test(text);
  if (isPlain && !/^=\?base64\?.*\?=$/.test(text)) return text;
  return `=?base64?${Buffer.from(text).toString('base64')}?=`;
}
