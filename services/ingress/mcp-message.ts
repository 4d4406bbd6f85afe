/** What is read of a request of `/mcp` before the SDK reads everything. Nothing here is checked. */
import type { IncomingMessage } from 'node:http';
import { classifyInboundRequest } from '@modelcontextprotocol/server';
import { z } from 'zod';
import { acceptOf } from './node-exchange.ts';

const lastLegacyVersion = '2025-11-25';

const Id = z.union([z.string(), z.number()]);

export const Message = z.object({
  id: Id.optional().catch(undefined),
  method: z.string().optional().catch(undefined),
  params: z
    .object({
      name: z.string().optional().catch(undefined),
      taskId: z.string().optional().catch(undefined),
      arguments: z.record(z.string(), z.unknown()).optional().catch(undefined),
      requestId: Id.optional().catch(undefined),
      clientInfo: z.object({ name: z.string() }).optional().catch(undefined),
      capabilities: z.record(z.string(), z.unknown()).optional().catch(undefined),
    })
    .optional()
    .catch(undefined),
});
export type Message = z.output<typeof Message>;

/** The capabilities that questions need, of those that the client declares. */
export const abilitiesOf = ({ params }: Message): readonly string[] =>
  ['elicitation', 'sampling', 'roots'].filter((each) => params?.capabilities?.[each] !== undefined);

export function eraOf(request: IncomingMessage, body: unknown): 'legacy' | 'modern' | 'reject' {
  return classifyInboundRequest({
    httpMethod: 'POST',
    protocolVersionHeader: headerOf(request, 'mcp-protocol-version'),
    mcpMethodHeader: headerOf(request, 'mcp-method'),
    mcpNameHeader: headerOf(request, 'mcp-name'),
    body,
  }).kind;
}

/** By its headers alone, for a request without a body. */
export const isModern = (request: IncomingMessage): boolean =>
  (headerOf(request, 'mcp-protocol-version') ?? '') > lastLegacyVersion;

export const takesEvents = (request: IncomingMessage): boolean =>
  acceptOf(request.headers.accept).includes('text/event-stream');

export const sessionOf = (request: IncomingMessage): string | undefined =>
  headerOf(request, 'mcp-session-id');

export function headerOf({ headers }: IncomingMessage, name: string): string | undefined {
  const value = headers[name];
  return typeof value === 'string' ? value : undefined;
}
