/**
 * Counts anew what a tenant holds, from what is stored, compares it with the books, and mends them
 * if asked to. For operators: it reads everything the tenant has.
 */
import { paginateQuery, UpdateItemCommand, type DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { paginateListObjectsV2, type S3Client } from '@aws-sdk/client-s3';
import { createArtifactAccounting } from '../aws/artifact-accounting.ts';
import { createKvAccounting } from '../aws/kv-accounting.ts';
import { expiryOf, hourOf, kvSortKey, numberOf, type Item } from '../aws/kv-item.ts';
import { isConditionFailed } from '../aws/aws-fault.ts';
import { UserId, type TenantId } from '../ids.ts';
import { readTotals } from './read-totals.ts';
import { createUpdate } from './update-expression.ts';
import { itemKey, type UsageKind, type UsagePorts } from './usage-item.ts';
import { hourMs, hourName, type UsageState } from './usage-state.ts';

export interface RecountPorts {
  readonly dynamodb: DynamoDBClient;
  readonly s3: S3Client;
  readonly kvTable: string;
  readonly artifactsBucket: string;
}

export interface Totals {
  readonly bytes: number;
  readonly objects: number;
}

export interface Recount {
  readonly kind: UsageKind;
  /** What the books say is stored, without what calls under way have reserved. */
  readonly recorded: Totals;
  readonly counted: Totals;
  /** Calls and uploads under way: what they write may be in one figure and not in the other. */
  readonly underWay: number;
  readonly repaired: boolean;
}

interface Count extends Totals {
  /** Bytes by hour of expiry. */
  readonly hours: ReadonlyMap<number, number>;
}

/** A count during which something was written is repeated. */
const maxRounds = 5;

export async function recount(
  tenant: TenantId,
  ports: RecountPorts,
  options: { readonly repair: boolean },
): Promise<readonly Recount[]> {
  const { dynamodb, s3, kvTable: table, artifactsBucket: bucket } = ports;
  const limits = () => Promise.resolve({ bytes: Infinity, objects: Infinity });
  const kvUsage: UsagePorts = { dynamodb, table, tenant, kind: 'kv' };
  const kv = createKvAccounting({ usage: kvUsage, limits });
  const usage: UsagePorts = { dynamodb, table, tenant, kind: 'artifacts' };
  const artifacts = createArtifactAccounting({ s3, bucket, usage, limits, call: operator(tenant) });
  return [
    await recountOne(
      kvUsage,
      () => readTotals(kv),
      () => countKv(kvUsage),
      options,
    ),
    await recountOne(
      usage,
      () => readTotals(artifacts),
      () => countObjects(tenant, ports),
      options,
    ),
  ];
}

async function recountOne(
  usage: UsagePorts,
  read: () => Promise<UsageState>,
  count: () => Promise<Count>,
  { repair }: { readonly repair: boolean },
): Promise<Recount> {
  for (let round = 1; ; round += 1) {
    const state = await read();
    const counted = await count();
    const recorded = settled(state);
    const underWay = state.reservations.size;
    const { kind } = usage;
    const result = { kind, recorded, counted: toTotals(counted), underWay, repaired: false };
    if (isSame(recorded, counted) || (repair && underWay > 0)) return result;
    const unchanged = repair
      ? await mend(usage, state, counted)
      : (await read()).version === state.version;
    if (unchanged) return { ...result, repaired: repair };
    if (round === maxRounds) return result;
  }
}

const toTotals = ({ bytes, objects }: Totals): Totals => ({ bytes, objects });
const isSame = (a: Totals, b: Totals): boolean => a.bytes === b.bytes && a.objects === b.objects;

/** Values whose hour of expiry is over count no more, whether or not they were taken off or swept yet. */
const isOver = (hour: number): boolean => hour !== 0 && (hour + 1) * hourMs <= Date.now();

function settled({ bytes, objects, hours, reservations }: UsageState): Totals {
  const over = [...hours].filter(([hour]) => isOver(hour)).map(([, held]) => held);
  const reserved = [...reservations.values()];
  return {
    bytes: bytes - sum(over) - sum(reserved.map((each) => each.bytes)),
    objects: objects - sum(reserved.map((each) => each.objects)),
  };
}

async function countKv({ dynamodb, table, tenant }: UsagePorts): Promise<Count> {
  const hours = new Map<number, number>();
  let bytes = 0;
  const pages = paginateQuery(
    { client: dynamodb },
    {
      TableName: table,
      ConsistentRead: true,
      KeyConditionExpression: 'tenant = :tenant AND begins_with(sk, :kv)',
      ExpressionAttributeValues: { ':tenant': { S: tenant }, ':kv': { S: kvSortKey('') } },
    },
  );
  for await (const { Items: items = [] } of pages) {
    for (const item of items) {
      const counted = toCounted(item);
      if (counted === undefined || isOver(counted.hour)) continue;
      bytes += counted.bytes;
      if (counted.hour === 0) continue;
      hours.set(counted.hour, (hours.get(counted.hour) ?? 0) + counted.bytes);
    }
  }
  return { bytes, objects: 0, hours };
}

function toCounted(item: Item) {
  const value = item['value']?.S;
  if (value === undefined) return undefined;
  const key = (item['sk']?.S ?? '').slice(kvSortKey('').length);
  const bytes = Buffer.byteLength(key) + Buffer.byteLength(value);
  // Another writer's item names its expiry alone.
  const hour = item['hour'] ? numberOf(item, 'hour') : hourOf(expiryOf(item), Date.now());
  return { bytes, hour };
}

async function countObjects(
  tenant: TenantId,
  { s3, artifactsBucket }: RecountPorts,
): Promise<Count> {
  let [bytes, objects] = [0, 0];
  const listing = { Bucket: artifactsBucket, Prefix: `${tenant}/` };
  for await (const { Contents: contents = [] } of paginateListObjectsV2({ client: s3 }, listing)) {
    objects += contents.length;
    bytes += sum(contents.map(({ Size: size = 0 }) => size));
  }
  return { bytes, objects, hours: new Map() };
}

/** Resolves with false if something has been written since `seen`. */
async function mend(usage: UsagePorts, seen: UsageState, counted: Count): Promise<boolean> {
  const update = createUpdate();
  const version = update.name('version');
  update.require(
    seen.version === 0
      ? `attribute_not_exists(${version})`
      : `${version} = ${update.number(seen.version)}`,
  );
  update.set('bytes', { N: String(counted.bytes) });
  update.set('objects', { N: String(counted.objects) });
  const lastOver = Math.floor(Date.now() / hourMs) - 1;
  if (usage.kind === 'kv') {
    update.set('purged', { N: String(Math.max(seen.purged, lastOver)) });
  }
  for (const [hour, bytes] of counted.hours) update.set(hourName(hour), { N: String(bytes) });
  for (const hour of seen.hours.keys()) {
    if (!counted.hours.has(hour)) update.remove(hourName(hour));
  }
  update.add('version', 1);
  try {
    const input = { TableName: usage.table, Key: itemKey(usage), ...update.toInput() };
    await usage.dynamodb.send(new UpdateItemCommand(input));
    return true;
  } catch (error) {
    if (isConditionFailed(error)) return false;
    throw error;
  }
}

/** Reads for no call. */
function operator(tenant: TenantId) {
  return {
    tenant,
    user: UserId.parse('operator'),
    sequence: 0,
    attempt: 1,
    deadline: Infinity,
    signal: new AbortController().signal,
    assertLease: () => undefined,
  };
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, each) => total + each, 0);
}
