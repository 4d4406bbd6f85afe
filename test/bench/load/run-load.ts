/**
 * Runs one load: a fixed number of calls in flight, or a call at every beat of every connection.
 * A call is measured from its sending until its whole answer is there.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { openConnection, type Connection } from './connection.ts';
import type { Load, Measured } from './load.ts';
import { createRequestWriter } from './request.ts';
import { createTally, type InFlight } from './tally.ts';

/** As long as a timer can be set for. */
const forEverMs = 2 ** 31 - 1;

/** Ends after the load's own time or number of calls, or once `stop` aborts; all is answered then. */
export async function runLoad(load: Load, stop?: AbortSignal): Promise<Measured> {
  const { connections, depth = 1, calls = Infinity, everyMs } = load;
  const writer = createRequestWriter(load);
  const tally = createTally(load);
  const ending = new AbortController();
  const { promise: allAnswered, resolve: finish } = Promise.withResolvers<void>();
  let sent = 0;
  let open = 0;

  interface Line extends Pick<Connection, 'close'> {
    readonly send: () => void;
  }

  async function openLine(): Promise<Line> {
    const inFlight: InFlight[] = [];
    const connection = await openConnection(new URL(load.url), {
      onAnswer(answer) {
        const call = inFlight.shift();
        if (!call) return;
        tally.answered(call, answer);
        settle(1);
      },
      onLost() {
        const lost = inFlight.splice(0).length;
        tally.lost(lost);
        settle(lost);
      },
    });
    const send = (): void => {
      if (sent >= calls || ending.signal.aborted) return;
      const { id, text } = writer.next();
      inFlight.push({ id, sentAt: performance.now() });
      sent += 1;
      open += 1;
      connection.send(text);
    };
    const settle = (count: number): void => {
      open -= count;
      if (everyMs === undefined) for (let i = 0; i < count; i += 1) send();
      if (open === 0 && (sent >= calls || ending.signal.aborted)) finish();
    };
    return { send, close: () => connection.close() };
  }

  async function keepBeat({ send }: Line, pauseMs: number): Promise<void> {
    await sleep(Math.random() * pauseMs);
    for (let next = performance.now(); !ending.signal.aborted; next += pauseMs) {
      await sleep(Math.max(next - performance.now(), 0));
      send();
    }
  }

  function end(): void {
    ending.abort();
    if (open === 0) finish();
  }

  const lines = await Promise.all(Array.from({ length: connections }, openLine));
  const startedAt = performance.now();
  const timer = setTimeout(end, load.seconds === undefined ? forEverMs : load.seconds * 1_000);
  stop?.addEventListener('abort', end, { once: true });
  const beats = everyMs === undefined ? [] : lines.map((line) => keepBeat(line, everyMs));
  if (everyMs === undefined) {
    for (let i = 0; i < depth; i += 1) for (const { send } of lines) send();
  }
  await allAnswered;
  const seconds = (performance.now() - startedAt) / 1_000;
  stop?.removeEventListener('abort', end);
  clearTimeout(timer);
  ending.abort();
  await Promise.all(beats);
  for (const each of lines) each.close();
  return tally.measured(seconds);
}
