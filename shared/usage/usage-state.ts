/**
 * The bookkeeping item of one tenant and one store, as data. It lies in the partition
 * `<tenant>#meta`, out of reach of every tool, and holds what is stored, what calls under way have
 * reserved, and how many bytes expire in which hour.
 */
import type { AttributeValue } from '@aws-sdk/client-dynamodb';
import { createHash } from 'node:crypto';
import { z } from 'zod';
import type { CallContext } from '../aws/tenant-aws.ts';

/** What a call under way may add at most, so that no other call takes the room meanwhile. */
export const Reservation = z.object({
  key: z.string(),
  sequence: z.number(),
  /** Counted in the totals until the reservation ends. */
  bytes: z.number(),
  objects: z.number().default(0),
  /** Epoch ms: nothing older was looked at to decide on it. */
  since: z.number(),
  /** Epoch ms after which its call can no longer write anything. */
  until: z.number(),
  /** KV: the call may write only over what the call of this number wrote, whose size it has subtracted. */
  over: z.number().optional(),
  /** Artifacts: how the totals change if the write happens. */
  change: z.object({ bytes: z.number(), objects: z.number() }).optional(),
});
export type Reservation = z.output<typeof Reservation>;

export interface UsageState {
  readonly bytes: number;
  readonly objects: number;
  /** Bytes up to and with this hour of expiry, in hours since the epoch, have been taken off. */
  readonly purged: number;
  /** Bytes by hour of expiry. */
  readonly hours: ReadonlyMap<number, number>;
  readonly reservations: ReadonlyMap<string, Reservation>;
  /** Grows with every change, so that a recount can tell that nothing has changed meanwhile. */
  readonly version: number;
}

export const hourMs = 3_600_000;

/** For a request that was on the wire at its call's deadline, and for clocks that differ. */
const graceMs = 60_000;

/** An attribute's name: one per call and key, whatever the attempt. */
export function reservationName(sequence: number, key: string): string {
  return `r${sequence}.${createHash('sha256').update(key).digest('base64url').slice(0, 16)}`;
}

/** What a call reserves under its own number, before anyone knows for how much. */
export function newReservation(key: string, call: CallContext) {
  const { sequence, deadline } = call;
  return { key, sequence, since: Date.now(), until: deadline + graceMs, bytes: 0, objects: 0 };
}

export const hourName = (hour: number): string => `h${hour}`;

export function toUsageState(
  item: Readonly<Record<string, AttributeValue>> | undefined = {},
): UsageState {
  const number = (name: string): number => Number(item[name]?.N ?? 0);
  const hours = new Map<number, number>();
  const reservations = new Map<string, Reservation>();
  for (const [name, value] of Object.entries(item)) {
    if (/^h\d+$/.test(name)) hours.set(Number(name.slice(1)), Number(value.N));
    if (/^r\d/.test(name)) reservations.set(name, Reservation.parse(JSON.parse(value.S ?? '')));
  }
  return {
    bytes: number('bytes'),
    objects: number('objects'),
    purged: number('purged'),
    version: number('version'),
    hours,
    reservations,
  };
}
