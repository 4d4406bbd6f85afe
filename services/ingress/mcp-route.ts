/**
 * One request of `/mcp`, in order: method and media type, caller, body, session, protocol.
 * The eras part here: a 2026-07-28 client cancels by leaving; an older one that leaves does not
 * cancel, has a signed session instead, and cancels with a notification of its own.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { classifyInboundRequest, ProtocolErrorCode } from '@modelcontextprotocol/server';
import { z } from 'zod';
import { Fault } from '../../shared/faults.ts';
import type { ToolContract } from '../../shared/tools/contract.ts';
import { authenticate, type AuthenticatePorts, type Caller } from './authenticate.ts';
import type { Cancellations } from './cancellations.ts';
import { isPostOfJson, type RequestRecord, type Route } from './http.ts';
import { findMismatch } from './header-params.ts';
import type { McpExchange } from './mcp-exchange.ts';
import type { Mcp } from './mcp.ts';
import { send, toWebRequest, writeEvent, writeResponse } from './node-exchange.ts';
import { isAnswer, type Questions } from './questions.ts';
import { BodyTooLarge, ClientGone, readJson } from './request-body.ts';
import { httpError, toHttpAnswer, type HttpAnswer, type RequestId } from './respond.ts';
import { cancelKey, type Sessions } from './session.ts';
import type { Subscriptions } from './subscriptions.ts';

const maxBodyBytes = 4_194_304;

export interface McpRoutePorts extends AuthenticatePorts {
  readonly mcp: Mcp;
  readonly sessions: Sessions;
  readonly subscriptions: Subscriptions;
  readonly cancellations: Cancellations;
  readonly questions: Questions | undefined;
  /** Names besides its own stay out of the log. */
  readonly catalog: ReadonlyMap<string, ToolContract>;
  /** Milliseconds without progress after which a client that does not read is cut off. */
  readonly stallMs: number;
  readonly onProblem: (what: string, cause: unknown) => void;
}

const Id = z.union([z.string(), z.number()]);

/** The few fields that are looked at before the SDK looks at everything. */
const Message = z.object({
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
type Message = z.output<typeof Message>;

export function createMcpRoute(ports: McpRoutePorts): Route {
  return async (request, response, record) => {
    const { headers, method } = request;
    const closesSession = method === 'DELETE' && sessionOf(request) !== undefined;
    if (!closesSession && !isPostOfJson(request, response)) return;
    const caller = await authenticate(headers.authorization, ports);
    record.tenant = caller.principal.tenant.id;
    if (closesSession) {
      const found = await ports.sessions.close(sessionOf(request) ?? '', caller.principal);
      return send(response, found ? { status: 200, body: '' } : sessionNotFound(null));
    }
    const body = await parsed(request);
    if (body === malformed) return send(response, notJson);
    if (Array.isArray(body)) return send(response, noBatches);
    await answerMessage(body, { request, response, record, caller }, ports);
  };
}

interface Asked {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly record: RequestRecord;
  readonly caller: Caller;
}

async function answerMessage(body: unknown, asked: Asked, ports: McpRoutePorts): Promise<void> {
  const { request, response, record, caller } = asked;
  const { principal } = caller;
  const message = Message.catch({}).parse(body);
  describe(message, record, ports);
  const era = eraOf(request, body);
  if (era === 'modern' && message.method === 'subscriptions/listen') {
    return listen(body, asked, ports);
  }
  const mismatch =
    era === 'modern' ? findMismatch(message, { request, principal }, ports.catalog) : undefined;
  if (mismatch) return send(response, mismatch);
  const isLegacy = era === 'legacy';
  // A modern client has no session, whatever its headers say.
  const session = isLegacy ? sessionOf(request) : undefined;
  const nonce = session === undefined ? undefined : await ports.sessions.check(session, principal);
  if (session !== undefined && nonce === undefined) {
    return send(response, sessionNotFound(message.id ?? null));
  }
  if (isLegacy && session === undefined && message.method === 'initialize') {
    const client = message.params?.clientInfo?.name ?? '';
    response.setHeader(
      'mcp-session-id',
      await ports.sessions.open(principal, client, abilitiesOf(message)),
    );
  }
  if (nonce !== undefined && message.method === 'notifications/cancelled') {
    await announce(cancelKey(nonce, message.params?.requestId), ports);
    return send(response, { status: 202, body: '' });
  }
  if (nonce !== undefined && ports.questions && isAnswer(body)) {
    await ports.questions.deliver(nonce, body);
    return send(response, { status: 202, body: '' });
  }
  const key = nonce === undefined ? undefined : cancelKey(nonce, message.id);
  const { exchange, refusal } = createExchange(asked, {
    track: (cancel) =>
      isLegacy ? trackKey(key, cancel, ports) : trackDisconnect(response, cancel),
    id: message.id ?? null,
    era: isLegacy ? 'legacy' : 'modern',
    ask: askOver(response, nonce, session, ports),
  });
  const answer = await ports.mcp.answer(toWebRequest(request.headers), body, exchange);
  await writeResponse(answer, response, { refusal, stallMs: ports.stallMs });
}

/** A stream that lives until the client leaves, or the ingress ends it. */
async function listen(
  body: unknown,
  { request, response, caller }: Asked,
  { subscriptions, stallMs }: McpRoutePorts,
): Promise<void> {
  const gone = new AbortController();
  response.once('close', () => gone.abort());
  if (response.destroyed) return;
  const web = toWebRequest(request.headers);
  const answer = await subscriptions.listen(web, body, caller, gone.signal);
  await writeResponse(answer, response, { refusal: () => undefined, stallMs });
}

/** Starts to watch for the client's cancel; returns the way to stop. */
type Track = (cancel: () => void) => () => void;

function createExchange(
  { request, response, caller }: Asked,
  {
    track,
    id,
    era,
    ask,
  }: Pick<McpExchange, 'era' | 'ask'> & {
    readonly track: Track;
    readonly id: RequestId;
  },
): { readonly exchange: McpExchange; readonly refusal: () => HttpAnswer | undefined } {
  let refused: HttpAnswer | undefined;
  const exchange: McpExchange = {
    principal: caller.principal,
    era,
    ask,
    idempotencyKey: headerOf(request, 'idempotency-key'),
    traceparent: headerOf(request, 'traceparent'),
    congested: () => response.writableNeedDrain,
    refuse(fault) {
      if (response.headersSent) return false;
      refused = toHttpAnswer(fault, { id });
      return true;
    },
    startCall() {
      const controller = new AbortController();
      const cancel = () => controller.abort(new Fault('cancelled', 'The client cancelled'));
      return { signal: controller.signal, settle: track(cancel) };
    },
  };
  return { exchange, refusal: () => refused };
}

/** Questions on the open stream of a request. Only a session tells whose answer one is. */
function askOver(
  response: ServerResponse,
  nonce: string | undefined,
  session: string | undefined,
  { questions, sessions }: McpRoutePorts,
): McpExchange['ask'] {
  if (nonce === undefined || session === undefined || !questions) return undefined;
  return (question, signal) => {
    const [ability = ''] = question.method.split('/');
    if (!sessions.abilities(session).includes(ability)) {
      throw new Fault('tool_failed', `The tool needs a client with the capability ${ability}`);
    }
    return questions.ask(nonce, question, (text) => writeEvent(response, text), signal);
  };
}

/** The capabilities that questions need, of those that the client declares. */
const abilitiesOf = ({ params }: Message): readonly string[] =>
  ['elicitation', 'sampling', 'roots'].filter((each) => params?.capabilities?.[each] !== undefined);

function trackDisconnect(response: ServerResponse, cancel: () => void): () => void {
  if (response.destroyed) cancel();
  response.once('close', cancel);
  return () => void response.off('close', cancel);
}

function trackKey(
  key: string | undefined,
  cancel: () => void,
  { cancellations }: McpRoutePorts,
): () => void {
  return key === undefined ? () => undefined : cancellations.track(key, cancel);
}

/** A cancel is a request to save work. Losing one is no reason to fail. */
async function announce(
  key: string | undefined,
  { cancellations, onProblem }: McpRoutePorts,
): Promise<void> {
  if (key === undefined) return;
  try {
    await cancellations.announce(key);
  } catch (cause) {
    onProblem('A cancel was not announced', cause);
  }
}

const malformed = Symbol('malformed');

async function parsed(request: IncomingMessage): Promise<unknown> {
  try {
    return await readJson(request, maxBodyBytes);
  } catch (cause) {
    if (cause instanceof BodyTooLarge || cause instanceof ClientGone) throw cause;
    return malformed;
  }
}

function eraOf(request: IncomingMessage, body: unknown): 'legacy' | 'modern' | 'reject' {
  return classifyInboundRequest({
    httpMethod: 'POST',
    protocolVersionHeader: headerOf(request, 'mcp-protocol-version'),
    mcpMethodHeader: headerOf(request, 'mcp-method'),
    mcpNameHeader: headerOf(request, 'mcp-name'),
    body,
  }).kind;
}

function describe({ method, params }: Message, record: RequestRecord, ports: McpRoutePorts): void {
  if (method !== undefined && /^[A-Za-z/_]{1,64}$/.test(method)) record.method = method;
  if (method !== 'tools/call' || params?.name === undefined) return;
  if (ports.catalog.has(params.name)) record.tool = params.name;
}

const sessionOf = (request: IncomingMessage): string | undefined =>
  headerOf(request, 'mcp-session-id');

function headerOf({ headers }: IncomingMessage, name: string): string | undefined {
  const value = headers[name];
  return typeof value === 'string' ? value : undefined;
}

const notJson = httpError(400, {
  code: ProtocolErrorCode.ParseError,
  message: 'The body is not JSON in UTF-8',
});

// 2025-06-18 removed them; no client of any era needs them.
const noBatches = httpError(400, {
  code: ProtocolErrorCode.InvalidRequest,
  message: 'Batches are not supported',
});

/** The code that the SDKs use; a client answers it by initializing anew. */
const sessionNotFound = (id: RequestId): HttpAnswer =>
  httpError(404, { code: -32_001, message: 'Session not found' }, { id });
