/**
 * One request that a tool answers, with everything it may want to ask the client in between. A
 * 2026-07-28 client gets the questions as a result and comes back with another request; one of
 * 2025 is asked on its open stream while this ingress waits. No worker waits for a human: the tool
 * is run anew with the answers.
 */
import {
  CLIENT_CAPABILITIES_META_KEY,
  ProtocolError,
  ProtocolErrorCode,
  type ServerContext,
} from '@modelcontextprotocol/server';
import { z } from 'zod';
import { Fault } from '../../shared/faults.ts';
import { ClientSide } from '../../shared/queue/invocation.ts';
import { forwardLog, forwardProgress, idempotencyKeyOf, traceparentOf } from './call-facts.ts';
import type { McpExchange, Question } from './mcp-exchange.ts';
import type { RequestStates } from './request-state.ts';
import type { CallTool, TaskTerms } from './tool-call.ts';

export interface ConversePorts {
  readonly callTool: CallTool;
  readonly states: RequestStates;
}

/** What is to be run, and for which request. */
export interface Conversation {
  readonly method: 'tools/call' | 'prompts/get' | 'resources/read';
  /** Of the tool, prompt or resource, as the client named it. */
  readonly subject: string;
  readonly tool: string;
  readonly arguments: Record<string, unknown>;
  /** Whether the tool may ask back, or write to the client's log. */
  readonly raw: boolean;
  readonly context: ServerContext;
  readonly signal: AbortSignal;
  readonly task?: TaskTerms | undefined;
}

/** A result of any of the three methods. */
export type Result = Readonly<Record<string, unknown>>;

const Asks = z.looseObject({
  resultType: z.literal('input_required'),
  inputRequests: z
    .record(z.string(), z.object({ method: z.string(), params: z.unknown().optional() }))
    .default({}),
  requestState: z.string().optional(),
});

/** So often a tool may ask before it has to come to an end. */
const maxRounds = 8;

/** @throws {Fault} as the call does. @throws {ProtocolError} if the client's own state is no good. */
export async function converse(
  conversation: Conversation,
  exchange: McpExchange,
  ports: ConversePorts,
): Promise<Result> {
  const asking = {
    principal: exchange.principal,
    method: conversation.method,
    name: conversation.subject,
    arguments: conversation.arguments,
  };
  let client = await clientSideOf(conversation, asking, ports.states);
  for (let round = 0; round < maxRounds; round += 1) {
    const result = parse(await ports.callTool(toCall(conversation, client, exchange)));
    if (!conversation.raw || result['resultType'] !== 'input_required') return result;
    const asks = Asks.parse(result);
    if (exchange.era === 'modern') {
      const { requestState } = asks;
      if (requestState === undefined) return result;
      return { ...result, requestState: ports.states.seal(requestState, asking) };
    }
    const inputResponses = await askAll(asks.inputRequests, conversation.signal, exchange);
    client = { ...client, inputResponses, requestState: asks.requestState };
  }
  throw new Fault('tool_failed', 'The tool asked too often');
}

async function clientSideOf(
  { context, raw }: Conversation,
  asking: Parameters<RequestStates['open']>[1],
  states: RequestStates,
): Promise<ClientSide> {
  if (!raw) return ClientSide.parse({});
  const { envelope, inputResponses } = context.mcpReq;
  const sealed: unknown = context.mcpReq.requestState();
  const requestState = typeof sealed === 'string' ? await states.open(sealed, asking) : undefined;
  if (typeof sealed === 'string' && requestState === undefined) {
    throw new ProtocolError(ProtocolErrorCode.InvalidParams, 'Invalid or expired requestState');
  }
  return {
    capabilities: Json.catch({}).parse(
      new Map(Object.entries(envelope ?? {})).get(CLIENT_CAPABILITIES_META_KEY),
    ),
    inputResponses,
    requestState,
    log: true,
  };
}

function toCall(
  conversation: Conversation,
  client: ClientSide,
  exchange: McpExchange,
): Parameters<CallTool>[0] {
  const { context, raw, tool, signal } = conversation;
  return {
    principal: exchange.principal,
    name: tool,
    arguments: conversation.arguments,
    signal,
    task: conversation.task,
    onProgress: forwardProgress(context, exchange),
    traceparent: traceparentOf(context.mcpReq._meta, exchange),
    idempotencyKey: keyOf(idempotencyKeyOf(context.mcpReq._meta, exchange), client),
    ...(raw && { client, onLog: forwardLog(context, exchange) }),
  };
}

/** With other answers it is another call, or a retry would hear the first question for ever. */
function keyOf(key: string | undefined, client: ClientSide): string | undefined {
  const { inputResponses, requestState } = client;
  if (key === undefined || (!inputResponses && requestState === undefined)) return key;
  return JSON.stringify([key, inputResponses, requestState]);
}

async function askAll(
  questions: Readonly<Record<string, Question>>,
  signal: AbortSignal,
  { ask }: McpExchange,
): Promise<Record<string, unknown>> {
  if (!ask) {
    const message = 'The tool needs to ask the client, which needs a session for that';
    throw new Fault('tool_failed', message);
  }
  const answers = Object.entries(questions).map(
    async ([key, question]) => [key, await ask(question, signal)] as const,
  );
  return Object.fromEntries(await Promise.all(answers));
}

const Json = z.record(z.string(), z.unknown());

/** The SDK takes an object, and checks it against the protocol's schema. */
function parse(json: string): Result {
  try {
    return Json.parse(JSON.parse(json));
  } catch {
    // The parser's own error quotes the result, which must not reach a log.
    throw new Fault('internal', 'Internal error', { cause: new Error('A result was not JSON') });
  }
}
