/** Writes `tools/call` as bytes on the wire, in both protocol eras. What does not change is written once. */
import type { Load } from './load.ts';

/** Ids of one length, so that the length of the body is known beforehand. */
const firstId = 1_000_000_000;
const anyId = String(firstId);

export interface RequestWriter {
  /** The next request, of the next token. */
  next(): { readonly id: number; readonly text: string };
}

export function createRequestWriter(load: Load): RequestWriter {
  const body = bodyOf(load);
  const length = Buffer.byteLength(body.replaceAll('$id', anyId));
  const parts = body.split('$id');
  const head = headOf(load, length);
  const heads = load.tokens?.map((token) => `${head}authorization: Bearer ${token}\r\n\r\n`) ?? [
    `${head}\r\n`,
  ];
  let sent = 0;
  return {
    next() {
      const id = firstId + sent;
      const text = `${heads[sent % heads.length]}${parts.join(String(id))}`;
      sent += 1;
      return { id, text };
    },
  };
}

function bodyOf({ era, call }: Load): string {
  const meta =
    era === '2025-11-25'
      ? ''
      : `,"_meta":{"io.modelcontextprotocol/protocolVersion":"${era}","io.modelcontextprotocol/clientInfo":{"name":"bench","version":"1"},"io.modelcontextprotocol/clientCapabilities":{}}`;
  return `{"jsonrpc":"2.0","id":$id,"method":"tools/call","params":{"name":"${call.tool}","arguments":${call.arguments}${meta}}}`;
}

function headOf({ url, era, call, headers = {} }: Load, length: number): string {
  const { pathname, host } = new URL(url);
  const all = {
    host,
    'content-type': 'application/json',
    accept: 'application/json, text/event-stream',
    'content-length': length,
    'mcp-protocol-version': era,
    ...(era === '2025-11-25' ? {} : { 'mcp-method': 'tools/call', 'mcp-name': call.tool }),
    ...headers,
  };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
  return `POST ${pathname} HTTP/1.1\r\n${lines.join('')}`;
}
