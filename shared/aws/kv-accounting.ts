/** Settles what writes to the key-value store have added, whoever does it and whenever. */
import { GetItemCommand } from '@aws-sdk/client-dynamodb';
import { release, settle, type Accounting } from '../usage/accounting.ts';
import type { UsageChange, UsagePorts } from '../usage/usage-item.ts';
import { reservationName, type UsageState } from '../usage/usage-state.ts';
import { itemKey, toStoredWrite, type Counted, type StoredWrite } from './kv-item.ts';

export interface KvAccountingPorts {
  readonly usage: UsagePorts;
  readonly limits: Accounting['limits'];
}

export function createKvAccounting({ usage, limits }: KvAccountingPorts): Accounting {
  const accounting: Accounting = {
    usage,
    limits,
    async reconcile(name, reservation, state) {
      const stored = await readWrite(reservation.key, usage);
      if (stored?.sequence === reservation.sequence) {
        return settleWrite(reservation.key, stored, state, accounting);
      }
      if (stored?.displaced.sequence === reservation.sequence) {
        const { displaced, before } = stored;
        const unknown = { sequence: 0, bytes: 0, hour: 0 };
        const write = { ...displaced, displaced: { ...before, sequence: 0 }, before: unknown };
        return settleWrite(reservation.key, write, state, accounting);
      }
      // Several calls have written since. Had this one written before them, the one that displaced
      // it would settle it too; it may be under way still.
      if ((stored?.displaced.sequence ?? 0) > reservation.sequence && isContended(name, state)) {
        return state;
      }
      return release(name, state, accounting);
    },
  };
  return accounting;
}

/** Ends the write's reservation, and that of the write it displaced if that one's call has not. */
export function settleWrite(
  key: string,
  write: StoredWrite,
  seen: UsageState,
  accounting: Accounting,
): Promise<UsageState> {
  const name = reservationName(write.sequence, key);
  return settle(seen, (state) => toSettlement(name, key, write, state), accounting);
}

function toSettlement(
  name: string,
  key: string,
  write: StoredWrite,
  state: UsageState,
): UsageChange | undefined {
  const own = state.reservations.get(name);
  if (!own) return undefined;
  const { displaced, before } = write;
  const otherName = displaced.sequence === 0 ? undefined : reservationName(displaced.sequence, key);
  const other = otherName === undefined ? undefined : state.reservations.get(otherName);

  const hours = new Map<number, number>();
  let bytes = -own.bytes - (other?.bytes ?? 0);
  const count = (counted: Counted, sign: 1 | -1): void => {
    // Hours that are over have been taken off the total whole.
    if (counted.bytes === 0 || (counted.hour !== 0 && counted.hour <= state.purged)) return;
    bytes += sign * counted.bytes;
    if (counted.hour === 0) return;
    hours.set(counted.hour, (hours.get(counted.hour) ?? 0) + sign * counted.bytes);
  };
  count(write, 1);
  count(displaced, -1);
  if (other) {
    count(displaced, 1);
    count(before, -1);
  }
  return {
    bytes,
    hours,
    ends: other && otherName ? [name, otherName] : [name],
    without: other ? undefined : otherName,
    purgedIn: state,
  };
}

function isContended(name: string, { reservations }: UsageState): boolean {
  const key = reservations.get(name)?.key;
  return [...reservations].some(([other, each]) => other !== name && each.key === key);
}

/** The last write to the key, without its value. */
export async function readWrite(
  key: string,
  ports: Omit<UsagePorts, 'kind'>,
): Promise<StoredWrite | undefined> {
  const names = ['seq', 'bytes', 'hour', 'prev_seq', 'prev_bytes', 'prev_hour', 'past_bytes'];
  const projected = [...names, 'past_hour'];
  const { Item: item } = await ports.dynamodb.send(
    new GetItemCommand({
      TableName: ports.table,
      Key: itemKey(key, ports),
      ConsistentRead: true,
      ProjectionExpression: projected.map((_, at) => `#${at}`).join(', '),
      ExpressionAttributeNames: Object.fromEntries(projected.map((each, at) => [`#${at}`, each])),
    }),
    { abortSignal: ports.signal },
  );
  return item && toStoredWrite(item);
}
