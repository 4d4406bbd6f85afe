/**
 * The stream that a 2025-era client opens by GET, for all that concerns no request of its own. What
 * it is told is kept with its session in Redis, and read again at each word of a change. A session
 * has one stream: a client that comes back, wherever to, ends the stream that it left, or it would
 * be shut out until that one is found dead.
 *
 * Nothing is kept for a client that is away. One that says what it heard last is told of all that
 * may have changed since.
 */
import { createHash, randomBytes } from 'node:crypto';
import { ProtocolErrorCode } from '@modelcontextprotocol/server';
import { Fault } from '../../../shared/faults.ts';
import type { CatalogChange } from '../../../shared/queue/change-events.ts';
import type { SessionStates } from '../../../shared/sessions/session-states.ts';
import type { Principal } from '../../../shared/tenants/tenant.ts';
import { headerOf } from '../mcp-message.ts';
import { send } from '../node-exchange.ts';
import type { Asked, KnownSession } from '../open-exchange.ts';
import { httpError } from '../respond.ts';
import type { Sessions } from '../session.ts';
import { openEventStream, type EventStream } from './event-stream.ts';
import type { Listeners } from './listeners.ts';

export interface SessionStreamsPorts {
  readonly sessions: Pick<Sessions, 'check'>;
  readonly states: SessionStates;
  readonly listeners: Listeners;
  readonly mayRead: (uri: string, principal: Principal) => boolean;
  /** Milliseconds without progress after which a client that does not read is cut off. */
  readonly stallMs: number;
  /** Milliseconds between signs of life. */
  readonly aliveMs?: number | undefined;
  /** Milliseconds after which a session is looked at although nobody said that it changed. Default 20,000. */
  readonly lookMs?: number | undefined;
}

export interface SessionStreams {
  /** Answers with the session's stream. Resolves once it has ended. */
  open(asked: Asked, session: KnownSession): Promise<void>;
  /** Looks again at a session that has changed. */
  onSession(id: string): void;
}

/** Clients before this version would take an event without a message for a broken one. */
const marksSince = '2025-11-25';

const defaultLookMs = 20_000;

export function createSessionStreams(ports: SessionStreamsPorts): SessionStreams {
  const { listeners, states } = ports;
  const watches = new Set<Watch>();

  return {
    async open(asked, session) {
      const { request, response, caller } = asked;
      const { tenant } = caller.principal;
      const id = randomBytes(9).toString('base64url');
      let out: EventStream | undefined;
      let ended = false;
      const end = (): void => {
        ended = true;
        out?.end();
      };
      const watch = createWatch({ id, session, principal: caller.principal, end }, ports);
      const listening = listeners.add({
        caller,
        mightWant: (uri) => watch.mightWant(uri),
        tell: (change) =>
          void watch.wants(change).then((wanted) => wanted && out?.send(toMessage(change), mark())),
        end,
      });
      if (!listening) return send(response, tooMany);
      let marks = 0;
      const mark = (): string => {
        marks += 1;
        return `${id}.${digestOf(listening.toolsKey)}.${marks}`;
      };
      watches.add(watch);
      const timer = setInterval(() => void watch.look(), ports.lookMs ?? defaultLookMs);
      try {
        await states.hold(tenant, session.nonce, id).catch(unavailable);
        await watch.look();
        if (response.destroyed) return;
        if (ended) throw new Fault('overloaded', 'The stream was ended', { retryAfterMs: 0 });
        out = openEventStream(response, ports);
        if ((headerOf(request, 'mcp-protocol-version') ?? '') >= marksSince) out.mark(mark());
        const heard = headerOf(request, 'last-event-id');
        if (heard !== undefined) {
          const tools = toolsIn(heard) === digestOf(listening.toolsKey) ? [] : [toolsChanged];
          const resources = watch.uris().map((uri) => ({ kind: 'resource' as const, uri }));
          for (const change of [...tools, ...resources]) out.send(toMessage(change), mark());
        }
        listening.begin();
        await out.closed;
      } finally {
        clearInterval(timer);
        watches.delete(watch);
        listening.stop();
      }
    },
    onSession(id) {
      for (const watch of watches) if (watch.session === id) void watch.look();
    },
  };
}

/** What one stream is to be told, as its session says. */
interface Watch {
  /** The session's id. */
  readonly session: string;
  /** Resolves once it knows what the session wants by now. */
  look(): Promise<void>;
  mightWant(uri: string): boolean;
  wants(change: CatalogChange): Promise<boolean>;
  uris(): readonly string[];
}

function createWatch(
  stream: {
    readonly id: string;
    readonly session: KnownSession;
    readonly principal: Principal;
    /** Called if the session is over, or has another stream by now. */
    readonly end: () => void;
  },
  { sessions, states, mayRead }: SessionStreamsPorts,
): Watch {
  const { id, principal, end } = stream;
  const { token, nonce } = stream.session;
  let uris: ReadonlySet<string> = new Set();
  let looking = 0;
  let looked = Promise.resolve();

  async function lookNow(): Promise<void> {
    try {
      if ((await sessions.check(token, principal)) === undefined) return end();
      const state = await states.read(principal.tenant, nonce);
      if (state.stream !== undefined && state.stream !== id) return end();
      uris = state.uris;
    } catch {
      // A Redis that does not answer decides nothing, and the next look is not far.
    } finally {
      looking -= 1;
    }
  }

  return {
    session: nonce,
    look() {
      looking += 1;
      looked = looked.then(lookNow);
      return looked;
    },
    mightWant: (uri) => looking > 0 || uris.has(uri),
    async wants(change) {
      if (change.kind !== 'resource') return true;
      // A change may come right behind the word that the session waits for it.
      await looked;
      return uris.has(change.uri);
    },
    uris: () => [...uris].filter((uri) => mayRead(uri, principal)),
  };
}

const toolsChanged: CatalogChange = { kind: 'tools' };

function toMessage(change: CatalogChange): object {
  if (change.kind !== 'resource') {
    return { jsonrpc: '2.0', method: `notifications/${change.kind}/list_changed` };
  }
  const { uri } = change;
  return { jsonrpc: '2.0', method: 'notifications/resources/updated', params: { uri } };
}

/** Short, and the same for the same tools. */
const digestOf = (toolsKey: string): string =>
  createHash('sha256').update(toolsKey).digest('base64url').slice(0, 8);

const toolsIn = (mark: string): string | undefined =>
  /^[\w-]{12}\.([\w-]{8})\.\d+$/.exec(mark)?.[1];

function unavailable(cause: unknown): never {
  throw new Fault('overloaded', 'Streams cannot be opened now', { retryAfterMs: 1_000, cause });
}

const tooMany = httpError(
  429,
  { code: ProtocolErrorCode.InternalError, message: 'Subscription limit reached' },
  { headers: { 'retry-after': '5' } },
);
