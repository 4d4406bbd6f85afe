/** What a stretch of load under a fault came to, from its answers, the record of leases, and the events that arrived. */
import { TenantId } from '../../shared/ids.ts';
import { readLeaseRecord, readQueueLimits } from '../../shared/queue/lease-record.ts';
import { mastersOf } from '../../shared/queue/redis.ts';
import { verifyCaps } from '../../shared/queue/verify-caps.ts';
import type { FaultFleet } from './fleet.ts';
import { tenants, type Ended } from './load.ts';

export interface StretchVerdict {
  readonly fault: string;
  readonly calls: number;
  readonly ok: number;
  /** Answers other than `ok`, counted. */
  readonly others: string;
  readonly admitted: number;
  /** Ends of calls in the record. */
  readonly settled: number;
  /** Calls that ended more or less often than they were admitted. */
  readonly unbalanced: readonly string[];
  /** Events that arrived more than once. */
  readonly duplicates: readonly string[];
  /** Events that were confirmed to their sender, and did not arrive. */
  readonly missing: readonly string[];
  readonly violations: readonly string[];
  readonly overCapMs: number;
  /** The longest that any tenant went without a good answer. */
  readonly recoveryMs: number;
  readonly quietP99Ms: number;
  /** Keys of finished work. */
  readonly left: readonly string[];
}

/** Told once, in the stretch in which they came. */
const told = new Set<string>();

/** May stay once all work is done: one for each shard or tenant, and bounded. Whatever else stays must expire. */
const kept =
  /^(run|bell|leases|readers|processes|q:[^:]+:meta|dead:.+|dead-at:.+|audit.*|aws.*|bucket.*)$/;

export async function judge(
  fault: string,
  fleet: FaultFleet,
  ended: readonly Ended[],
  from: number,
): Promise<StretchVerdict> {
  const { shards } = fleet.redis;
  const record = await readLeaseRecord(fleet.ask, shards);
  const ids = tenants.map(({ id }) => TenantId.parse(id));
  const to = Date.now() + 1_000;
  const limits = await readQueueLimits(fleet.ask, shards, ids);
  const { violations, tenants: verdicts } = verifyCaps(record, { from, to }, limits);

  const balance = new Map<string, number>();
  const count = { admitted: 0, settled: 0 };
  for (const event of record) {
    if (event.kind === 'admitted') {
      if (event.at >= from) count.admitted += 1;
      balance.set(event.call, (balance.get(event.call) ?? 0) + 1);
    } else if (event.kind === 'settled' || event.kind === 'removed') {
      if (event.at >= from) count.settled += 1;
      balance.set(event.call, (balance.get(event.call) ?? 0) - 1);
    }
  }
  const arrived = await fleet.countEvents();
  const ok = ended.filter(({ outcome }) => outcome === 'ok');
  return {
    fault,
    calls: ended.length,
    ok: ok.length,
    others: countOthers(ended),
    ...count,
    unbalanced: [...balance].flatMap(([call, sum]) => (sum === 0 ? [] : [`${call} ${sum}`])),
    duplicates: newDuplicates(arrived),
    missing: ok.flatMap(({ event }) => (event && !arrived.has(event) ? [event] : [])),
    violations: violations.map(({ tenant, what, call }) => `${tenant} ${what} ${call}`),
    overCapMs: verdicts.reduce((sum, { overCapMs }) => sum + overCapMs, 0),
    recoveryMs: longestGap(ok, from),
    quietP99Ms: percentile99(ended.filter(({ quiet }) => quiet)),
    left: await readLeft(fleet),
  };
}

/** Of every shard, without its prefix. */
async function readLeft({ ask }: FaultFleet): Promise<string[]> {
  const keys = await Promise.all(mastersOf(ask).map((node) => node.keys('{mesh:*')));
  const left = keys.flat().filter((key) => !kept.test(nameOf(key)));
  const expiries = await Promise.all(left.map((key) => ask.pttl(key)));
  return left.filter((_, i) => expiries[i] === -1).map(nameOf);
}

const nameOf = (key: string): string => key.slice(key.indexOf('}:') + 2);

function newDuplicates(arrived: ReadonlyMap<string, number>): string[] {
  const duplicates = [...arrived].flatMap(([n, times]) => (times > 1 && !told.has(n) ? [n] : []));
  for (const n of duplicates) told.add(n);
  return duplicates;
}

function countOthers(ended: readonly Ended[]): string {
  const others = Map.groupBy(
    ended.filter(({ outcome }) => outcome !== 'ok'),
    ({ outcome }) => outcome,
  );
  return [...others].map(([outcome, list]) => `${list.length} ${outcome}`).join(', ');
}

function longestGap(ok: readonly Ended[], from: number): number {
  let longest = 0;
  for (const list of Map.groupBy(ok, ({ tenant }) => tenant).values()) {
    let last = from;
    for (const endedAt of list.map((each) => each.endedAt).sort((a, b) => a - b)) {
      longest = Math.max(longest, endedAt - last);
      last = endedAt;
    }
  }
  return longest;
}

function percentile99(ended: readonly Ended[]): number {
  const took = ended.map(({ startedAt, endedAt }) => endedAt - startedAt).sort((a, b) => a - b);
  return took[Math.floor(took.length * 0.99)] ?? 0;
}
