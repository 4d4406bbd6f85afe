/**
 * A stored value as an item. Besides the value it says which call wrote it, how much it counts, and
 * the same of the two writes before it: from that, whoever settles later can tell what happened.
 */
import type { AttributeValue } from '@aws-sdk/client-dynamodb';
import { hourMs } from '../usage/usage-state.ts';

/** What one write counts: bytes, in the hour of its expiry; hour 0 is never. */
export interface Counted {
  readonly bytes: number;
  readonly hour: number;
}

export interface StoredWrite extends Counted {
  readonly sequence: number;
  /** What it displaced; `bytes` is 0 if there was nothing. */
  readonly displaced: Counted & { readonly sequence: number };
  /** What that one had displaced. */
  readonly before: Counted;
}

export type Item = Readonly<Record<string, AttributeValue>>;

export const numberOf = (item: Item | undefined, name: string): number =>
  Number(item?.[name]?.N ?? 0);

export function itemKey(key: string, { tenant }: { readonly tenant: string }) {
  // The sort key names its kind, so that no key of a tenant can reach another kind of item.
  return { tenant: { S: tenant }, sk: { S: kvSortKey(key) } };
}

export const kvSortKey = (key: string): string => `kv#${key}`;

/** Epoch milliseconds, Infinity for never. DynamoDB sweeps expired items hours late. */
export function expiryOf(item: Item): number {
  const inMs = item['expires_ms']?.N;
  if (inMs !== undefined) return Number(inMs);
  const inSeconds = item['expires_at']?.N;
  return inSeconds === undefined ? Infinity : Number(inSeconds) * 1_000;
}

/**
 * The hour under which a value that expires then is counted. Far-off hours are lumped into days and
 * months, so that their number stays small whatever times a tenant chooses.
 */
export function hourOf(expiresMs: number, nowMs: number): number {
  if (expiresMs === Infinity) return 0;
  const hour = Math.floor(expiresMs / hourMs);
  const ahead = hour - Math.floor(nowMs / hourMs);
  const lump = lumps.find(({ from }) => ahead >= from)?.hours ?? 1;
  // The last hour of its lump: nothing is taken off early.
  return Math.ceil((hour + 1) / lump) * lump - 1;
}

const lumps = [
  { from: 365 * 24, hours: 30 * 24 },
  { from: 30 * 24, hours: 24 },
];

export function toStoredWrite(item: Item): StoredWrite {
  const number = (name: string) => numberOf(item, name);
  return {
    sequence: number('seq'),
    bytes: number('bytes'),
    hour: number('hour'),
    displaced: {
      sequence: number('prev_seq'),
      bytes: number('prev_bytes'),
      hour: number('prev_hour'),
    },
    before: { bytes: number('past_bytes'), hour: number('past_hour') },
  };
}

/** The write of `sequence` that took the place of `old`. */
export function displacing(
  old: Item | undefined,
  written: Counted & { readonly sequence: number },
): StoredWrite {
  const { sequence, bytes, hour, displaced } = toStoredWrite(old ?? {});
  return { ...written, displaced: { sequence, bytes, hour }, before: displaced };
}
