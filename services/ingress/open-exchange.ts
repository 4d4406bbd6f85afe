/** What the protocol is told of one request of `/mcp`: who asks, how it may end, whom to ask back. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { Fault } from '../../shared/faults.ts';
import type { SessionStates } from '../../shared/sessions/session-states.ts';
import type { Caller } from './authenticate.ts';
import type { Cancellations } from './cancellations.ts';
import type { RequestRecord } from './http.ts';
import type { McpExchange, SessionWishes } from './mcp-exchange.ts';
import { headerOf } from './mcp-message.ts';
import { writeEvent } from './node-exchange.ts';
import type { Questions } from './questions.ts';
import { toHttpAnswer, type HttpAnswer, type RequestId } from './respond.ts';
import { cancelKey, type Sessions } from './session.ts';

/** One request whose caller is known. */
export interface Asked {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly record: RequestRecord;
  readonly caller: Caller;
}

export interface ExchangePorts {
  readonly sessions: Sessions;
  readonly cancellations: Cancellations;
  readonly questions: Questions | undefined;
  /** Absent: 2025-era clients cannot say what they want to be told. */
  readonly states?: SessionStates | undefined;
}

/** A session that was checked: the client's token, and what it names. */
export interface KnownSession {
  readonly token: string;
  readonly nonce: string;
}

/** The first version with links to resources, and with a header that names the version. */
const linksSince = '2025-06-18';

export function openExchange(
  { request, response, caller }: Asked,
  {
    id,
    era,
    session,
  }: Pick<McpExchange, 'era'> & {
    readonly id: RequestId;
    readonly session: KnownSession | undefined;
  },
  ports: ExchangePorts,
): { readonly exchange: McpExchange; readonly refusal: () => HttpAnswer | undefined } {
  let refused: HttpAnswer | undefined;
  const exchange: McpExchange = {
    principal: caller.principal,
    era,
    ask: session && askOver(response, session, ports),
    wishes: session && ports.states && toWishes(caller, session, ports.states),
    takesLinks: era === 'modern' || (headerOf(request, 'mcp-protocol-version') ?? '') >= linksSince,
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
      const settle =
        era === 'modern'
          ? trackDisconnect(response, cancel)
          : trackNotification(session, id, cancel, ports);
      return { signal: controller.signal, settle };
    },
  };
  return { exchange, refusal: () => refused };
}

/** Questions on the open stream of a request. Only a session tells whose answer one is. */
function askOver(
  response: ServerResponse,
  { token, nonce }: KnownSession,
  { questions, sessions }: ExchangePorts,
): McpExchange['ask'] {
  if (!questions) return undefined;
  return (question, signal) => {
    const [ability = ''] = question.method.split('/');
    if (!sessions.abilities(token).includes(ability)) {
      throw new Fault('tool_failed', `The tool needs a client with the capability ${ability}`);
    }
    return questions.ask(nonce, question, (text) => writeEvent(response, text), signal);
  };
}

function toWishes(
  { principal: { tenant } }: Caller,
  { nonce }: KnownSession,
  states: SessionStates,
): SessionWishes {
  return {
    async watch(uri) {
      if (await states.watch(tenant, nonce, uri).catch(unavailable)) return;
      throw new Fault('quota_exceeded', 'Subscription limit reached. Unsubscribe from something.');
    },
    unwatch: (uri) => states.unwatch(tenant, nonce, uri).catch(unavailable),
    setLevel: (level) => states.setLevel(tenant, nonce, level).catch(unavailable),
    level: async () => (await states.read(tenant, nonce).catch(unavailable)).level,
  };
}

function unavailable(cause: unknown): never {
  throw new Fault('overloaded', 'Sessions cannot be read now', { retryAfterMs: 1_000, cause });
}

/** Watches for the client's cancel; returns the way to stop. */
function trackDisconnect(response: ServerResponse, cancel: () => void): () => void {
  if (response.destroyed) cancel();
  response.once('close', cancel);
  return () => void response.off('close', cancel);
}

/** The same for clients that cancel by a message, which only a session tells from another's. */
function trackNotification(
  session: KnownSession | undefined,
  id: RequestId,
  cancel: () => void,
  { cancellations }: ExchangePorts,
): () => void {
  const key = session && cancelKey(session.nonce, id ?? undefined);
  return key === undefined ? () => undefined : cancellations.track(key, cancel);
}
