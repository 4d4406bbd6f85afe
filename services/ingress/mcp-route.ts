/**
 * One request of `/mcp`, in order: method and media type, caller, body, session, protocol.
 * The eras part here: a 2026-07-28 client cancels by leaving; an older one that leaves does not
 * cancel, has a signed session instead, and cancels with a notification of its own.
 */
import type { IncomingMessage } from 'node:http';
import { ProtocolErrorCode } from '@modelcontextprotocol/server';
import type { ToolContract } from '../../shared/tools/contract.ts';
import type { AnswerPlainCall } from './answer-plain-call.ts';
import { authenticate, type AuthenticatePorts } from './authenticate.ts';
import { isPostOfJson, type RequestRecord, type Route } from './http.ts';
import { findMismatch } from './header-params.ts';
import { abilitiesOf, eraOf, isModern, Message, sessionOf, takesEvents } from './mcp-message.ts';
import type { Mcp } from './mcp.ts';
import { send, toWebRequest, writeResponse } from './node-exchange.ts';
import {
  openExchange,
  type Asked,
  type ExchangePorts,
  type KnownSession,
} from './open-exchange.ts';
import type { FindPlainCall, PlainCall } from './plain-call.ts';
import { isAnswer } from './questions.ts';
import { BodyTooLarge, ClientGone, readJson } from './request-body.ts';
import { httpError, type HttpAnswer, type RequestId } from './respond.ts';
import { cancelKey } from './session.ts';
import type { SessionStreams } from './streams/session-streams.ts';
import type { Subscriptions } from './streams/subscriptions.ts';

const maxBodyBytes = 4_194_304;

export interface McpRoutePorts extends AuthenticatePorts, ExchangePorts {
  readonly mcp: Mcp;
  /** Absent: every call goes through the SDK. */
  readonly plain?: { readonly find: FindPlainCall; readonly answer: AnswerPlainCall } | undefined;
  readonly subscriptions: Subscriptions;
  /** Absent: 2025-era clients hear of changes only by asking. */
  readonly streams?: SessionStreams | undefined;
  /** Names besides its own stay out of the log. */
  readonly catalog: ReadonlyMap<string, ToolContract>;
  /** Milliseconds without progress after which a client that does not read is cut off. */
  readonly stallMs: number;
  readonly onProblem: (what: string, cause: unknown) => void;
}

export function createMcpRoute(ports: McpRoutePorts): Route {
  return async (request, response, record) => {
    const isOfSession = isAboutSession(request, ports);
    if (!isOfSession && !isPostOfJson(request, response)) return;
    const caller = await authenticate(request.headers.authorization, ports);
    record.tenant = caller.principal.tenant.id;
    if (isOfSession) return answerOfSession({ request, response, record, caller }, ports);
    const body = await parsed(request);
    if (body === malformed) return send(response, notJson);
    if (Array.isArray(body)) return send(response, noBatches);
    await answerMessage(body, { request, response, record, caller }, ports);
  };
}

/** A GET or DELETE that concerns the session itself. Modern clients have none, and nothing but POST. */
function isAboutSession(request: IncomingMessage, { streams }: McpRoutePorts): boolean {
  if (sessionOf(request) === undefined || isModern(request)) return false;
  return request.method === 'DELETE' || (request.method === 'GET' && streams !== undefined);
}

async function answerOfSession(asked: Asked, ports: McpRoutePorts): Promise<void> {
  const { request, response, caller } = asked;
  if (request.method === 'DELETE') {
    const found = await ports.sessions.close(sessionOf(request) ?? '', caller.principal);
    return send(response, found ? { status: 200, body: '' } : sessionNotFound(null));
  }
  if (!takesEvents(request)) return send(response, notAcceptable);
  const session = await findSession(asked, ports);
  if (session === 'unknown') return send(response, sessionNotFound(null));
  if (session) await ports.streams?.open(asked, session);
}

async function answerMessage(body: unknown, asked: Asked, ports: McpRoutePorts): Promise<void> {
  const { request, response, record, caller } = asked;
  const { principal } = caller;
  const plain = ports.plain?.find(body, request, principal);
  if (plain) return answerPlain(plain, asked, ports);
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
  const session = isLegacy ? await findSession(asked, ports) : undefined;
  if (session === 'unknown') return send(response, sessionNotFound(message.id ?? null));
  if (isLegacy && !session && message.method === 'initialize') {
    const client = message.params?.clientInfo?.name ?? '';
    response.setHeader(
      'mcp-session-id',
      await ports.sessions.open(principal, client, abilitiesOf(message)),
    );
  }
  if (session && message.method === 'notifications/cancelled') {
    await announce(cancelKey(session.nonce, message.params?.requestId), ports);
    return send(response, { status: 202, body: '' });
  }
  if (session && ports.questions && isAnswer(body)) {
    await ports.questions.deliver(session.nonce, body);
    return send(response, { status: 202, body: '' });
  }
  const { exchange, refusal } = openExchange(
    asked,
    { id: message.id ?? null, era: isLegacy ? 'legacy' : 'modern', session },
    ports,
  );
  const answer = await ports.mcp.answer(toWebRequest(request.headers), body, exchange);
  await writeResponse(answer, response, { refusal, stallMs: ports.stallMs });
}

async function answerPlain(call: PlainCall, asked: Asked, ports: McpRoutePorts): Promise<void> {
  asked.record.method = 'tools/call';
  asked.record.tool = call.name;
  const session = call.era === 'legacy' ? await findSession(asked, ports) : undefined;
  if (session === 'unknown') return send(asked.response, sessionNotFound(call.id));
  await ports.plain?.answer(call, asked, session);
}

/** Of a 2025-era client alone: a modern one has none, whatever its headers say. */
async function findSession(
  { request, caller }: Asked,
  { sessions }: McpRoutePorts,
): Promise<KnownSession | 'unknown' | undefined> {
  const token = sessionOf(request);
  if (token === undefined) return undefined;
  const nonce = await sessions.check(token, caller.principal);
  return nonce === undefined ? 'unknown' : { token, nonce };
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

function describe({ method, params }: Message, record: RequestRecord, ports: McpRoutePorts): void {
  if (method !== undefined && /^[A-Za-z/_]{1,64}$/.test(method)) record.method = method;
  if (method !== 'tools/call' || params?.name === undefined) return;
  if (ports.catalog.has(params.name)) record.tool = params.name;
}

const notJson = httpError(400, {
  code: ProtocolErrorCode.ParseError,
  message: 'The body is not JSON in UTF-8',
});

const notAcceptable = httpError(406, {
  code: ProtocolErrorCode.InvalidRequest,
  message: 'Accept must include text/event-stream',
});

// 2025-06-18 removed them; no client of any era needs them.
const noBatches = httpError(400, {
  code: ProtocolErrorCode.InvalidRequest,
  message: 'Batches are not supported',
});

/** The code that the SDKs use; a client answers it by initializing anew. */
const sessionNotFound = (id: RequestId): HttpAnswer =>
  httpError(404, { code: -32_001, message: 'Session not found' }, { id });
