/**
 * Lines of a local client in front, HTTP to an ingress behind. Each message goes out as a request
 * of its own, in whatever era it is written, and what the ingress answers comes back as it is.
 * What HTTP says beside the messages is kept here: the session of a 2025-era client, and how a
 * client cancels. Each request is answered, by an error of ours if nothing else comes.
 */
import type { Endpoint, Locate } from './endpoint.ts';
import {
  isOfEndpoint,
  notJson,
  parsed,
  textOf,
  tooLong,
  toErrorText,
  toStatusError,
  toTransportError,
} from './failure.ts';
import { keyOf, readMessage, type Message } from './message.ts';
import { Unreachable, type Answer, type Post } from './post.ts';
import { toHeaders, type Handshake } from './request-headers.ts';
import { keepSessionStream } from './session-stream.ts';

export interface BridgePorts {
  readonly locate: Locate;
  readonly post: Post;
  /** Writes one message to the client; resolves once there is room for more. */
  readonly write: (text: string) => Promise<void>;
  /** Resolves once there is room. */
  readonly room: () => Promise<void>;
  readonly log: (text: string) => void;
}

export interface Bridge {
  /** Takes the text of a message, or undefined for one that was too long. Resolves once there is room for more. */
  accept(text: string | undefined): Promise<void>;
  /** Waits for the answers to what was accepted, at most `timeoutMs` once there is an endpoint. */
  settle(timeoutMs: number): Promise<void>;
  /** Cancels what is still under way and ends the session. */
  close(): Promise<void>;
}

/** One request whose answer is awaited. */
interface Pending {
  readonly message: Message;
  readonly controller: AbortController;
  cancelled: boolean;
}

/** The body limit of an ingress. */
export const maxMessageBytes = 4_194_304;

const maxInFlight = 512;
const maxBytesInFlight = 67_108_864;

/** An ingress that restarts is back within this time, or its clients hear of it. */
const retryForMs = 2_000;
const retryEveryMs = 200;

const farewellMs = 500;

export function createBridge({ locate, post, write, room, log }: BridgePorts): Bridge {
  const pending = new Map<string, Pending>();
  const underWay = new Set<Promise<void>>();
  let bytesInFlight = 0;
  let handshake: Handshake = {};
  /** Ends the stream of the session. */
  let streaming = new AbortController();
  let initialize: Message | undefined;
  /** What a 2025-era client sends before its handshake is over waits for it. */
  let shaken: Promise<void> = Promise.resolve();

  async function send(message: Message, signal: AbortSignal): Promise<Answer> {
    const giveUpAt = performance.now() + retryForMs;
    let failed: Endpoint | undefined;
    for (;;) {
      const endpoint = await locate(failed);
      const headers = toHeaders(message, handshake);
      try {
        return await post({ endpoint, headers, body: message.text, signal, room });
      } catch (cause) {
        const mayRetry = cause instanceof Unreachable && performance.now() < giveUpAt;
        if (!mayRetry || signal.aborted) throw cause;
        failed = endpoint;
        await new Promise((resolve) => setTimeout(resolve, retryEveryMs));
      }
    }
  }

  /** A session that the server no longer knows is opened anew: the client of a pipe cannot see that. */
  async function sendInSession(message: Message, signal: AbortSignal): Promise<Answer> {
    const used = handshake.session;
    const answer = await send(message, signal);
    const isLost =
      answer.status === 404 && used !== undefined && message.modernVersion === undefined;
    if (!isLost || !initialize) return answer;
    if (handshake.session === used) {
      // One that fails shows in what is sent next.
      shaken = renew(initialize, signal).catch((cause: unknown) => log(textOf(cause)));
    }
    await shaken;
    return send(message, signal);
  }

  async function renew(initialize: Message, signal: AbortSignal): Promise<void> {
    const answer = await send(initialize, signal);
    for await (const text of answer.messages) remember(answer, text);
    const text = '{"jsonrpc":"2.0","method":"notifications/initialized"}';
    const initialized = await send({ text, params: {} }, signal);
    for await (const _ of initialized.messages);
    log('the session was opened anew');
  }

  function remember({ headers }: Answer, text: string): void {
    const result = parsed(text)?.['result'];
    if (typeof result !== 'object' || result === null || !('protocolVersion' in result)) return;
    const session = headers['mcp-session-id'];
    handshake = {
      version: String(result.protocolVersion),
      ...(typeof session === 'string' ? { session } : {}),
    };
    streaming.abort();
    streaming = new AbortController();
    void keepSessionStream(handshake, { locate, post, write, room }, streaming.signal);
  }

  /** Passes on what arrives; resolves with whether the request's own answer was among it. */
  async function receive(answer: Answer, entry: Pending): Promise<boolean> {
    const { message } = entry;
    let answered = false;
    for await (const text of answer.messages) {
      if (message.method === 'initialize' && message.modernVersion === undefined) {
        remember(answer, text);
      }
      const isStream = answer.headers['content-type']?.startsWith('text/event-stream');
      const value = isStream ? parsed(text) : undefined;
      answered ||= !value || (!('method' in value) && keyOf(value['id']) === keyOf(message.id));
      if (!entry.cancelled) await write(text);
    }
    return answered;
  }

  async function forward(entry: Pending): Promise<void> {
    const { message, controller } = entry;
    const { id } = message;
    const fail = async (error: Parameters<typeof toErrorText>[1]): Promise<void> => {
      const name = message.method ?? 'a message';
      if (entry.cancelled) return;
      if (id === undefined && message.method !== undefined) log(`${name}: ${error.message}`);
      else await write(toErrorText(id ?? null, error));
    };
    try {
      const answer = await sendInSession(message, controller.signal);
      if (answer.status >= 400) {
        let body = '';
        for await (const text of answer.messages) body = text;
        const error = toStatusError(answer, body);
        if (isOfEndpoint(answer)) log(error.message);
        return await fail(error);
      }
      const answered = await receive(answer, entry);
      if (!answered && id !== undefined) throw new Error('the answer ended early');
    } catch (cause) {
      const error = toTransportError(cause, message);
      if (!entry.cancelled) log(error.message);
      await fail(error);
    }
  }

  async function cancel(message: Message): Promise<void> {
    const entry = pending.get(keyOf(message.params['requestId']));
    // A client of 2026-07-28 cancels by leaving, and so does one that has no session.
    const leaves = entry?.message.modernVersion !== undefined || handshake.session === undefined;
    if (entry && leaves) leave(entry);
    if (entry) entry.cancelled = true;
    if (!leaves) await forward(toEntry(message));
  }

  function start(message: Message): void {
    const entry = toEntry(message);
    const key = message.id === undefined ? undefined : keyOf(message.id);
    const isRequest = key !== undefined && message.method !== undefined;
    if (isRequest) pending.set(key, entry);
    const isHandshake = message.method === 'initialize' && message.modernVersion === undefined;
    const isCancel = message.method === 'notifications/cancelled';
    if (isHandshake) initialize = message;

    const work = isCancel
      ? cancel(message)
      : isHandshake || message.modernVersion !== undefined
        ? forward(entry)
        : shaken.then(() => forward(entry));
    if (isHandshake) shaken = work;
    track(work, message.text.length, () => {
      if (key !== undefined && pending.get(key) === entry) pending.delete(key);
    });
  }

  function track(work: Promise<void>, bytes: number, onEnd: () => void): void {
    bytesInFlight += bytes;
    const tracked = work
      .catch((cause: unknown) => log(textOf(cause)))
      .finally(() => {
        bytesInFlight -= bytes;
        underWay.delete(tracked);
        onEnd();
      });
    underWay.add(tracked);
  }

  const isFull = (): boolean => underWay.size >= maxInFlight || bytesInFlight >= maxBytesInFlight;

  return {
    async accept(text) {
      if (text === undefined) return write(toErrorText(null, tooLong(maxMessageBytes)));
      try {
        start(readMessage(text));
      } catch (cause) {
        return write(toErrorText(null, notJson(cause)));
      }
      while (isFull()) await Promise.race(underWay);
    },

    async settle(timeoutMs) {
      for (const entry of pending.values()) {
        // It would never end by itself, and nobody is left who could want to hear.
        if (entry.message.method === 'subscriptions/listen') leave(entry);
      }
      if (underWay.size === 0) return;
      const answered = (async () => {
        while (underWay.size > 0) await Promise.all(underWay);
      })();
      // The first call to a cluster that is still starting has had no time yet.
      await Promise.race([answered, locate().catch(() => undefined)]);
      await Promise.race([answered, late(timeoutMs)]);
    },

    async close() {
      streaming.abort();
      const left = [...pending.values()].filter(({ cancelled }) => !cancelled);
      const cancels = left.map(({ message: { id } }) => cancel(cancellationOf(id)));
      const { session } = handshake;
      const farewell = async (): Promise<void> => {
        await Promise.allSettled(cancels);
        if (session === undefined) return;
        const endpoint = await locate();
        const signal = AbortSignal.timeout(farewellMs);
        const headers = { 'mcp-session-id': session };
        await post({ endpoint, method: 'DELETE', headers, body: '', signal });
      };
      await Promise.race([farewell().catch(() => undefined), late(farewellMs)]);
      for (const { controller } of pending.values()) controller.abort();
    },
  };
}

function leave(entry: Pending): void {
  entry.cancelled = true;
  entry.controller.abort();
}

function toEntry(message: Message): Pending {
  return { message, controller: new AbortController(), cancelled: false };
}

function cancellationOf(requestId: Message['id']): Message {
  const method = 'notifications/cancelled';
  const params = { requestId, reason: 'The client has gone' };
  return { text: JSON.stringify({ jsonrpc: '2.0', method, params }), method, params };
}

function late(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms).unref();
  });
}
