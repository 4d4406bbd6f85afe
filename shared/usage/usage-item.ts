/**
 * Changes a tenant's bookkeeping item, one conditional update at a time. Nothing here depends on
 * what was read before, unless the change says so: then it is refused if that no longer holds.
 */
import {
  ConditionalCheckFailedException,
  GetItemCommand,
  UpdateItemCommand,
  type DynamoDBClient,
} from '@aws-sdk/client-dynamodb';
import type { TenantId } from '../ids.ts';
import { createUpdate, type Update } from './update-expression.ts';
import { hourName, toUsageState, type Reservation, type UsageState } from './usage-state.ts';

export type UsageKind = 'kv' | 'artifacts';

export interface UsagePorts {
  readonly dynamodb: DynamoDBClient;
  readonly table: string;
  readonly tenant: TenantId;
  readonly kind: UsageKind;
  readonly signal?: AbortSignal | undefined;
}

export interface UsageChange {
  /** Added to the totals; may be negative. */
  readonly bytes?: number;
  readonly objects?: number;
  /** Bytes added to hours of expiry; may be negative. */
  readonly hours?: ReadonlyMap<number, number>;
  /** Refused if the totals would pass these. */
  readonly within?: { readonly bytes: number; readonly objects: number };
  /** Refused if there is a reservation of that name already. */
  readonly begins?: readonly [name: string, reservation: Reservation];
  /** Refused unless all of them are there. */
  readonly ends?: readonly string[];
  /** Refused if there is a reservation of that name. */
  readonly without?: string | undefined;
  /** Refused if expired hours have been taken off since that state. */
  readonly purgedIn?: UsageState;
  /** Refused if these hours have changed since that state; they are taken off. */
  readonly purges?: { readonly hours: readonly number[]; readonly from: UsageState };
  /** Refused if anything has changed since that state. */
  readonly unchangedSince?: UsageState;
}

/** Whether the change was made, and the state after it or, if it was refused, the one that refused it. */
export interface Changed {
  readonly done: boolean;
  readonly state: UsageState;
}

export const itemKey = ({ tenant, kind }: UsagePorts) => ({
  tenant: { S: `${tenant}#meta` },
  sk: { S: `usage#${kind}` },
});

export async function readUsage(ports: UsagePorts): Promise<UsageState> {
  const { Item: item } = await ports.dynamodb.send(
    new GetItemCommand({ TableName: ports.table, Key: itemKey(ports), ConsistentRead: true }),
    { abortSignal: ports.signal },
  );
  return toUsageState(item);
}

/** Rejects with the SDK's own errors, a refusal excepted. */
export async function changeUsage(change: UsageChange, ports: UsagePorts): Promise<Changed> {
  const command = new UpdateItemCommand({
    TableName: ports.table,
    Key: itemKey(ports),
    ...toUpdate(change),
    ReturnValues: 'ALL_NEW',
    ReturnValuesOnConditionCheckFailure: 'ALL_OLD',
  });
  try {
    const answer = await ports.dynamodb.send(command, { abortSignal: ports.signal });
    return { done: true, state: toUsageState(answer.Attributes) };
  } catch (error) {
    if (!(error instanceof ConditionalCheckFailedException)) throw error;
    return { done: false, state: toUsageState(error.Item) };
  }
}

function toUpdate(change: UsageChange) {
  const update = createUpdate();
  const { bytes = 0, objects = 0, hours = new Map(), within, begins, ends = [], purges } = change;
  const purged = purges?.hours ?? [];
  const purgedBytes = purged.map((hour) => purges?.from.hours.get(hour) ?? 0);

  if (within) requireRoom(update, 'bytes', bytes, within.bytes);
  if (within) requireRoom(update, 'objects', objects, within.objects);
  if (begins) {
    const [name, reservation] = begins;
    if (!ends.includes(name)) update.require(`attribute_not_exists(${update.name(name)})`);
    update.set(name, { S: JSON.stringify(reservation) });
  }
  for (const name of ends) {
    update.require(`attribute_exists(${update.name(name)})`);
    if (name !== begins?.[0]) update.remove(name);
  }
  if (change.without) update.require(`attribute_not_exists(${update.name(change.without)})`);
  for (const [at, hour] of purged.entries()) {
    const name = update.name(hourName(hour));
    update.require(`${name} = ${update.number(purgedBytes[at] ?? 0)}`);
    update.remove(hourName(hour));
  }
  if (purged.length > 0) update.set('purged', { N: String(Math.max(...purged)) });
  const purgedIn = purges?.from ?? change.purgedIn;
  if (purgedIn) requireSame(update, 'purged', purgedIn.purged);
  if (change.unchangedSince) requireSame(update, 'version', change.unchangedSince.version);

  update.add('bytes', bytes - purgedBytes.reduce((sum, each) => sum + each, 0));
  update.add('objects', objects);
  for (const [hour, added] of hours) update.add(hourName(hour), added);
  update.add('version', 1);
  return update.toInput();
}

/** What adds nothing is never refused, even above a limit that was lowered. */
function requireRoom(update: Update, attribute: string, added: number, limit: number): void {
  if (added <= 0) return;
  const name = update.name(attribute);
  const most = limit - added;
  const fits = `${name} <= ${update.number(most)}`;
  // An item without the attribute holds nothing yet.
  update.require(most < 0 ? fits : `(attribute_not_exists(${name}) OR ${fits})`);
}

function requireSame(update: Update, attribute: string, seen: number): void {
  const name = update.name(attribute);
  update.require(seen === 0 ? `attribute_not_exists(${name})` : `${name} = ${update.number(seen)}`);
}
