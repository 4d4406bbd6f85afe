/**
 * The messages on the queue: an `Invocation` down, a `Reply` or `Progress` up.
 * Each carries a version (`message-versions.ts`) and is parsed on arrival.
 *
 * A reply is a header as JSON, a newline, and for a completed call the finished
 * `CallToolResult` as JSON, which the ingress passes through unparsed.
 */
import { z } from 'zod';
import { FaultRecord } from '../faults.ts';
import { InvocationId, TenantId, UserId } from '../ids.ts';
import { readMessage, writeMessage } from './message-versions.ts';

/** What a tool that converses with the client may know of it. */
export const ClientSide = z.object({
  /** As the client declares them: what it may be asked for. */
  capabilities: z.record(z.string(), z.unknown()).default({}),
  /** Its answers to what an earlier result of this call asked, by the names given there. */
  inputResponses: z.record(z.string(), z.unknown()).optional(),
  /** What that earlier result wanted to be reminded of. */
  requestState: z.string().optional(),
  /** Whether it wants log messages. */
  log: z.boolean().default(false),
});
export type ClientSide = z.output<typeof ClientSide>;

/** One call as a message. What admission adds (sequence number, deadline, reply channel) is in its lease. */
export const Invocation = z.object({
  /** The version that it travels in, and its reply too: whoever waits for one reads the other. */
  v: z.number(),
  id: InvocationId,
  tenant: TenantId,
  user: UserId,
  tool: z.string(),
  arguments: z.record(z.string(), z.unknown()),
  /** Whether anyone listens for progress. */
  progress: z.boolean().default(false),
  /** How often it was run again as a dead letter: each time a tool that must run once may. */
  replay: z.number().int().positive().optional(),
  /** W3C trace context of the call. */
  traceparent: z.string().optional(),
  /** Absent unless the tool may ask the client back, or talk to it while it runs. */
  client: ClientSide.optional(),
});
export type Invocation = z.output<typeof Invocation>;

const ReplyHeader = z.discriminatedUnion('status', [
  z.object({ id: InvocationId, status: z.literal('completed') }),
  z.object({ id: InvocationId, status: z.literal('faulted'), fault: FaultRecord }),
  z.object({ id: InvocationId, status: z.literal('cancelled') }),
  z.object({
    id: InvocationId,
    status: z.literal('expired'),
    /** True if a tool that must run at most once had begun: its outcome is unknown. */
    begun: z.boolean().default(false),
  }),
  z.object({
    id: InvocationId,
    status: z.literal('progress'),
    progress: z.number(),
    total: z.number().optional(),
    message: z.string().optional(),
  }),
  z.object({
    id: InvocationId,
    status: z.literal('log'),
    level: z.string(),
    data: z.unknown(),
  }),
]);

/** How a call ended. `result` is a `CallToolResult` as JSON text. */
export type Reply =
  | { readonly id: InvocationId; readonly status: 'completed'; readonly result: string }
  | { readonly id: InvocationId; readonly status: 'faulted'; readonly fault: FaultRecord }
  | { readonly id: InvocationId; readonly status: 'cancelled' }
  | { readonly id: InvocationId; readonly status: 'expired'; readonly begun: boolean };

/** How far a running call has come. Values of one run increase; a re-run may start over. */
export interface Progress {
  readonly id: InvocationId;
  readonly status: 'progress';
  readonly progress: number;
  readonly total?: number | undefined;
  readonly message?: string | undefined;
}

/** What a running tool has to say to the client, `level` as MCP names it. */
export interface LogNotice {
  readonly id: InvocationId;
  readonly status: 'log';
  readonly level: string;
  readonly data?: unknown;
}

/** What is heard of a call before its reply. */
export type Notice = Progress | LogNotice;

export function encodeInvocation(invocation: Invocation): string {
  return writeMessage('invocation', invocation.v, invocation);
}

/** @throws {ForeignVersion} if it is for other builds; {z.ZodError} or {SyntaxError} if it is damaged. */
export function decodeInvocation(text: string): Invocation {
  return Invocation.parse(readMessage('invocation', text));
}

/** @param v the version of the invocation */
export function encodeReply(reply: Reply | Notice, v: number): string {
  if (reply.status !== 'completed') return `${writeMessage('reply', v, { ...reply })}\n`;
  const { result, ...header } = reply;
  return `${writeMessage('reply', v, header)}\n${result}`;
}

/** @throws {ForeignVersion} if it is for other builds; {z.ZodError} or {SyntaxError} if it is damaged. */
export function decodeReply(text: string): Reply | Notice {
  const end = text.indexOf('\n');
  const header = ReplyHeader.parse(readMessage('reply', text.slice(0, end)));
  return header.status === 'completed' ? { ...header, result: text.slice(end + 1) } : header;
}
