/**
 * Writes and deletes in the key-value store: reserve, write, settle. At most three requests unless
 * the store is full.
 *
 * Every write carries its call's sequence number and yields to a later one, so that a re-run after
 * a crash never brings an old value back. It happens once, however often it is sent: the item says
 * what it displaced the first time.
 */
import {
  ConditionalCheckFailedException,
  GetItemCommand,
  UpdateItemCommand,
} from '@aws-sdk/client-dynamodb';
import { Fault } from '../faults.ts';
import { isUntidy, release, reserve, tidy } from '../usage/accounting.ts';
import { kvFull } from '../usage/storage-full.ts';
import { readUsage } from '../usage/usage-item.ts';
import {
  newReservation,
  reservationName,
  type Reservation,
  type UsageState,
} from '../usage/usage-state.ts';
import { createKvAccounting, readWrite, settleWrite } from './kv-accounting.ts';
import {
  displacing,
  expiryOf,
  hourOf,
  itemKey,
  toStoredWrite,
  type Item,
  type StoredWrite,
} from './kv-item.ts';
import type { KvPorts } from './kv.ts';

/** What one call makes of one key. */
interface Write {
  readonly key: string;
  /** Absent: the key is deleted. */
  readonly value?: string;
  readonly expiresMs: number;
  /** What it counts, in the hour of its expiry. */
  readonly bytes: number;
  readonly hour: number;
}

type Outcome =
  | { readonly written: StoredWrite; readonly hadValue: boolean }
  /** `changed`: the key no longer holds what the reservation counts on. */
  | { readonly written?: undefined; readonly because: 'superseded' | 'changed' };

const maxRounds = 8;

/** For so long an item keeps its number after its end: longer than any call may be under way. */
const keepNumberMs = 2 * 3_600_000;

/** @throws {Fault} `storage_full`; else rejects with the SDK's own errors, as all of this file. */
export async function writeKv(
  key: string,
  value: string,
  ttlMs: number | undefined,
  ports: KvPorts,
): Promise<void> {
  const now = Date.now();
  const expiresMs = ttlMs === undefined ? Infinity : Math.ceil(now + ttlMs);
  const bytes = Buffer.byteLength(key) + Buffer.byteLength(value);
  await apply({ key, value, expiresMs, bytes, hour: hourOf(expiresMs, now) }, ports);
}

/** Leaves the number of the call behind, without a value, for as long as an older call may run. */
export async function deleteKv(key: string, ports: KvPorts): Promise<boolean> {
  return apply({ key, expiresMs: Infinity, bytes: 0, hour: 0 }, ports);
}

/** Resolves with whether the key had a value. */
async function apply(write: Write, ports: KvPorts): Promise<boolean> {
  const accounting = createKvAccounting(ports);
  const name = reservationName(ports.call.sequence, write.key);
  if (ports.call.attempt > 1) {
    const stored = await readWrite(write.key, ports.usage);
    if (stored && stored.sequence >= ports.call.sequence) return conclude(write, stored, ports);
  }
  for (let round = 0; round < maxRounds; round += 1) {
    const state = await reserveFor(write, name, ports);
    const reservation = state.reservations.get(name);
    if (!reservation) throw new Error('A reservation is missing right after it was made');
    const outcome = await send(write, reservation, ports);
    if (outcome.written) {
      const settled = await settleWrite(write.key, outcome.written, state, accounting);
      await tidyUp(settled, ports);
      return outcome.hadValue;
    }
    if (outcome.because === 'superseded') {
      // It may have written before that, if the answer was lost.
      await accounting.reconcile(name, reservation, state);
      return false;
    }
    await release(name, state, accounting);
  }
  const message = 'The key is being written by too many calls at once. Retry in 1 s.';
  throw new Fault('tool_failed', message, { retryAfterMs: 1_000 });
}

/** An earlier attempt, or a later call, has written: all that may be left is to settle for it. */
async function conclude(
  { key }: Write,
  stored: StoredWrite,
  { call, usage, limits }: KvPorts,
): Promise<boolean> {
  const accounting = createKvAccounting({ usage, limits });
  const state = await readUsage(usage);
  if (stored.sequence === call.sequence) {
    await settleWrite(key, stored, state, accounting);
    return stored.displaced.bytes > 0;
  }
  const name = reservationName(call.sequence, key);
  const reservation = state.reservations.get(name);
  if (reservation) await accounting.reconcile(name, reservation, state);
  return false;
}

/** Room for the whole value, or where there is not enough, for what it needs more than the one it replaces. */
async function reserveFor(write: Write, name: string, ports: KvPorts): Promise<UsageState> {
  const accounting = createKvAccounting(ports);
  const reservation = { ...newReservation(write.key, ports.call), bytes: write.bytes };
  const { done, state } = await reserve(name, reservation, accounting);
  if (done) return state;

  const held = await readHeld(write.key, ports);
  const isCounted = held && (held.hour === 0 || held.hour > state.purged);
  const missing = write.bytes - (isCounted ? held.bytes : 0);
  if (isCounted) {
    const tight = { ...reservation, bytes: Math.max(0, missing), over: held.sequence };
    const second = await reserve(name, tight, accounting, { purgedIn: state });
    if (second.done) return second.state;
  }
  throw kvFull(state, missing, await accounting.limits());
}

/** What the key holds if that is sure to count until this call has written. */
async function readHeld(key: string, ports: KvPorts): Promise<StoredWrite | undefined> {
  const { call, dynamodb, table } = ports;
  const { Item: item } = await dynamodb.send(
    new GetItemCommand({ TableName: table, Key: itemKey(key, call), ConsistentRead: true }),
    { abortSignal: call.signal },
  );
  if (!item || expiryOf(item) <= Date.now()) return undefined;
  const held = toStoredWrite(item);
  return held.sequence === 0 ? undefined : held;
}

async function send(write: Write, { over }: Reservation, ports: KvPorts): Promise<Outcome> {
  const { call, dynamodb, table } = ports;
  const command = new UpdateItemCommand({
    TableName: table,
    Key: itemKey(write.key, call),
    ...toUpdate(write, call.sequence, over),
    ReturnValues: 'ALL_OLD',
    ReturnValuesOnConditionCheckFailure: 'ALL_OLD',
  });
  const { sequence } = call;
  const { bytes, hour } = write;
  try {
    const { Attributes: old } = await dynamodb.send(command, { abortSignal: call.signal });
    return { written: displacing(old, { sequence, bytes, hour }), hadValue: hasValue(old) };
  } catch (error) {
    if (!(error instanceof ConditionalCheckFailedException)) throw error;
    const held = toStoredWrite(error.Item ?? {});
    if (held.sequence === sequence) return { written: held, hadValue: held.displaced.bytes > 0 };
    return { because: held.sequence > sequence ? 'superseded' : 'changed' };
  }
}

function toUpdate(write: Write, sequence: number, over: number | undefined) {
  const isValue = write.value !== undefined;
  const expires = write.expiresMs !== Infinity;
  const now = Date.now();
  const sweepAt = isValue ? Math.max(write.expiresMs, now + keepNumberMs) : now + keepNumberMs;
  const sets = [
    // The right-hand sides speak of the item as it was.
    'past_bytes = if_not_exists(prev_bytes, :zero), past_hour = if_not_exists(prev_hour, :zero)',
    'prev_bytes = if_not_exists(#bytes, :zero), prev_hour = if_not_exists(#hour, :zero)',
    'prev_seq = if_not_exists(seq, :zero), seq = :mine, #bytes = :bytes, #hour = :hour',
    'created_at = :now',
    ...(isValue ? ['#value = :value'] : []),
    ...(isValue && expires ? ['expires_ms = :expires'] : []),
    // For DynamoDB's sweep alone, in whole epoch seconds.
    ...(sweepAt === Infinity ? [] : ['expires_at = :sweep']),
  ];
  const removes = [
    ...(isValue ? [] : ['#value']),
    ...(isValue && expires ? [] : ['expires_ms']),
    ...(sweepAt === Infinity ? ['expires_at'] : []),
  ];
  const condition = over === undefined ? '' : 'seq = :over AND ';
  return {
    UpdateExpression: [
      `SET ${sets.join(', ')}`,
      ...(removes.length === 0 ? [] : [`REMOVE ${removes.join(', ')}`]),
    ].join(' '),
    ConditionExpression: `${condition}(attribute_not_exists(seq) OR seq < :mine)`,
    ExpressionAttributeNames: { '#bytes': 'bytes', '#hour': 'hour', '#value': 'value' },
    ExpressionAttributeValues: {
      ':zero': { N: '0' },
      ':mine': { N: String(sequence) },
      ':bytes': { N: String(write.bytes) },
      ':hour': { N: String(write.hour) },
      ':now': { N: String(Math.floor(now / 1_000)) },
      ...(write.value === undefined ? {} : { ':value': { S: write.value } }),
      ...(isValue && expires ? { ':expires': { N: String(write.expiresMs) } } : {}),
      ...(sweepAt === Infinity ? {} : { ':sweep': { N: String(Math.ceil(sweepAt / 1_000)) } }),
      ...(over === undefined ? {} : { ':over': { N: String(over) } }),
    },
  };
}

function hasValue(item: Item | undefined): boolean {
  return item?.['value'] !== undefined && expiryOf(item) > Date.now();
}

/** Now and then some call finds an hour over or a dead call's reservation. Its own work is done. */
async function tidyUp(state: UsageState, ports: KvPorts): Promise<void> {
  if (!isUntidy(state)) return;
  await tidy(state, createKvAccounting(ports)).catch(() => undefined);
}
