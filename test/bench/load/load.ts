/** What the load client is asked for, and what it says it saw. Both travel between processes. */

/** Protocol revisions: the stateless one, and the last one with a handshake. */
export type Era = '2026-07-28' | '2025-11-25';
export const eras: readonly Era[] = ['2026-07-28', '2025-11-25'];

/** One tool call. `$id` in the arguments and in the expected text stands for the call's own id. */
export interface CallShape {
  readonly tool: string;
  /** JSON. */
  readonly arguments: string;
  /** What the first text block of the result must be. Absent: any result that is no error. */
  readonly text?: string;
}

export interface Load {
  readonly url: string;
  readonly era: Era;
  readonly call: CallShape;
  /** Of every request, besides those of the protocol. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Bearer tokens, which take turns. Absent: none is sent. */
  readonly tokens?: readonly string[];
  readonly connections: number;
  /** Calls in flight on each connection. */
  readonly depth?: number;
  /** Ends after so long, or after so many calls. */
  readonly seconds?: number;
  readonly calls?: number;
  /** Each connection calls at its own beat, whether or not its last call was answered. */
  readonly everyMs?: number;
  /** Reports every single call. */
  readonly keepSamples?: boolean;
}

export interface Sample {
  /** When it should have been sent, in epoch milliseconds. */
  readonly at: number;
  readonly ms: number;
}

export interface Measured {
  readonly calls: number;
  readonly errors: number;
  /** The first few. */
  readonly problems: readonly string[];
  readonly seconds: number;
  readonly callsPerSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
  readonly samples: readonly Sample[];
}
