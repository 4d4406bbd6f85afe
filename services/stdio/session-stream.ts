/**
 * The stream of a 2025-era client's session: what comes on it concerns no request, and goes to the
 * client as it is. It is opened anew whenever it ends, as long as the session stands.
 */
import { setTimeout as pause } from 'node:timers/promises';
import type { BridgePorts } from './bridge.ts';
import type { Handshake } from './request-headers.ts';

const reopenAfterMs = 1_000;

/** An ingress that has none, and what no repetition changes. */
const isFinal = (status: number): boolean =>
  status >= 400 && status < 500 && status !== 408 && status !== 429;

/** Resolves once the session is over, or `signal` aborts. */
export async function keepSessionStream(
  { session, version }: Handshake,
  { locate, post, write, room }: Pick<BridgePorts, 'locate' | 'post' | 'write' | 'room'>,
  signal: AbortSignal,
): Promise<void> {
  if (session === undefined) return;
  const headers = {
    accept: 'text/event-stream',
    'mcp-session-id': session,
    ...(version !== undefined && { 'mcp-protocol-version': version }),
  };
  // Where it was is not kept: an ingress takes a mark that is not its own for "anything may have changed".
  for (let again = {}; !signal.aborted; again = { 'last-event-id': 'lost' }) {
    try {
      const endpoint = await locate();
      const open = { endpoint, method: 'GET', headers: { ...headers, ...again } } as const;
      const { status, messages } = await post({ ...open, body: '', signal, room });
      for await (const text of messages) if (status === 200) await write(text);
      if (isFinal(status)) return;
    } catch {
      // The requests of the client tell it if the ingress is away.
    }
    await pause(reopenAfterMs, undefined, { signal }).catch(() => undefined);
  }
}
