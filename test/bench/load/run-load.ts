/**
 * Runs one load: a fixed number of calls in flight, or a call at every beat of every connection.
 * Measures from when a call should have been sent to when its whole answer was there.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { percentile } from '../measure/percentile.ts';
import { problemOf } from './check-answer.ts';
import { openConnection, type Connection } from './connection.ts';
import type { Load, Measured, Sample } from './load.ts';
import { createRequestWriter } from './request.ts';

interface InFlight {
  readonly id: number;
  readonly startedAt: number;
}

const keptProblems = 3;

export async function runLoad(load: Load): Promise<Measured> {
  const { call, connections, depth = 1, seconds = Infinity, calls = Infinity, everyMs } = load;
  const writer = createRequestWriter(load);
  const latencies: number[] = [];
  const samples: Sample[] = [];
  const problems: string[] = [];
  const { promise: finished, resolve: finish } = Promise.withResolvers<void>();
  const ending = new AbortController();
  let [sent, open, errors] = [0, 0, 0];

  async function connect(): Promise<() => void> {
    const inFlight: InFlight[] = [];
    const connection: Connection = await openConnection(new URL(load.url), {
      onAnswer(answer) {
        const done = inFlight.shift();
        if (!done) return;
        const ms = performance.now() - done.startedAt;
        latencies.push(ms);
        if (load.keepSamples) samples.push({ at: performance.timeOrigin + done.startedAt, ms });
        const problem = problemOf(answer, done.id, call.text);
        if (problem !== undefined) fail(problem);
        settle(1);
      },
      onLost() {
        const lost = inFlight.splice(0).length;
        for (let i = 0; i < lost; i += 1) fail('connection lost');
        settle(lost);
      },
    });
    opened.push(connection);

    function send(): void {
      const { id, text } = writer.next();
      inFlight.push({ id, startedAt: performance.now() });
      sent += 1;
      open += 1;
      connection.send(text);
    }

    function settle(count: number): void {
      open -= count;
      if (sent >= calls) ending.abort();
      const again = everyMs === undefined ? count : 0;
      for (let i = 0; i < again && !ending.signal.aborted; i += 1) send();
      if (ending.signal.aborted && open === 0) finish();
    }
    return send;
  }

  function fail(problem: string): void {
    errors += 1;
    if (problems.length < keptProblems) problems.push(problem);
  }

  const opened: Connection[] = [];
  const senders = await Promise.all(Array.from({ length: connections }, connect));
  const startedAt = performance.now();
  const beats = everyMs === undefined ? [] : senders.map((send) => beat(send, everyMs));
  if (everyMs === undefined) {
    for (let i = 0; i < depth; i += 1) for (const send of senders) if (sent < calls) send();
  }
  const timer = setTimeout(end, seconds === Infinity ? 2 ** 31 - 1 : seconds * 1_000);
  await finished;
  clearTimeout(timer);
  const lasted = (performance.now() - startedAt) / 1_000;
  for (const each of opened) each.close();
  await Promise.all(beats);

  function end(): void {
    ending.abort();
    if (open === 0) finish();
  }

  async function beat(send: () => void, pauseMs: number): Promise<void> {
    await sleep(Math.random() * pauseMs);
    for (let next = performance.now(); !ending.signal.aborted; next += pauseMs) {
      await sleep(Math.max(next - performance.now(), 0));
      if (!ending.signal.aborted) send();
    }
  }

  return {
    calls: latencies.length,
    errors,
    problems,
    seconds: lasted,
    callsPerSecond: (latencies.length - errors) / lasted,
    p50Ms: percentile(latencies, 50),
    p99Ms: percentile(latencies, 99),
    maxMs: percentile(latencies, 100),
    samples,
  };
}
