/**
 * What the limits of a plan would have done with the calls of the last day: the recorded decisions
 * against the new rates, the recorded leases against the new caps, and what is stored against the
 * new limits of storage. One tenant's calls are in memory at a time.
 */
import { isDeepStrictEqual } from 'node:util';
import type { AuditLog } from '../../audit/audit-log.ts';
import type { TenantId } from '../../ids.ts';
import type { LeaseEvent } from '../../queue/lease-record.ts';
import type { PlannedTenant } from '../plan-tenants.ts';
import { readRecordedCalls } from './recorded-calls.ts';
import { CapReplay, type CapForecast } from './replay-cap.ts';
import { replayRates, type RateForecast } from './replay-rates.ts';
import type { Limits, Tenant } from '../tenant.ts';

/** What a tenant stores, by the limit that holds it. */
export type Held = Readonly<Record<'kvBytes' | 'artifacts' | 'artifactBytes', number>>;

export interface Forecast {
  readonly id: TenantId;
  /** Absent if neither rates nor status change. */
  readonly rates?: RateForecast & { readonly from: number };
  /** Absent if the cap does not change, or the record of leases knows nothing of the tenant. */
  readonly cap?: CapForecast & {
    readonly before: number;
    readonly after: number;
    readonly from: number;
  };
  /** Storage limits below what is stored: writes are refused until something is deleted. */
  readonly over: readonly {
    readonly limit: keyof Held;
    readonly held: number;
    readonly max: number;
  }[];
}

export interface ForecastPorts {
  readonly log: Pick<AuditLog, 'pages'>;
  readonly readHeld: (tenant: TenantId) => Promise<Held>;
  /** The record of leases of one shard, oldest first. */
  readonly readLeases: (shard: number, from: number) => AsyncIterable<readonly LeaseEvent[]>;
  readonly onProgress: (done: number, all: number) => void;
}

const mostCalls = 500_000;

/** Of the tenants that there are and that change. */
export async function forecast(
  planned: readonly PlannedTenant[],
  from: number,
  ports: ForecastPorts,
): Promise<readonly Forecast[]> {
  const changing = planned.flatMap(({ before, after }) =>
    before && before !== after ? [{ before, after }] : [],
  );
  ports.onProgress(0, changing.length);
  const caps = await forecastCaps(changing, from, ports);
  const found: Forecast[] = [];
  for (const { before, after } of changing) {
    const { id } = after;
    const cap = caps.get(id);
    const rates = areRatesSame(before, after) ? undefined : await ratesOf(after, from, ports);
    const held = await ports.readHeld(id);
    found.push({
      id,
      ...(rates && { rates }),
      ...(cap && { cap }),
      over: overOf(held, after.limits),
    });
    ports.onProgress(found.length, changing.length);
  }
  return found;
}

async function ratesOf(after: Tenant, since: number, { log }: ForecastPorts) {
  const { calls, from } = await readRecordedCalls(after.id, { from: since, most: mostCalls }, log);
  return { ...replayRates(calls, after), from };
}

function areRatesSame(before: Tenant, after: Tenant): boolean {
  const ratesOf = ({ status, limits }: Tenant) => [
    status,
    limits.requestsPerMinute,
    limits.userRequestsPerMinute,
    limits.tools,
  ];
  return isDeepStrictEqual(ratesOf(before), ratesOf(after));
}

function overOf(held: Held, limits: Limits): Forecast['over'] {
  return (['kvBytes', 'artifacts', 'artifactBytes'] as const).flatMap((limit) =>
    held[limit] > limits[limit] ? [{ limit, held: held[limit], max: limits[limit] }] : [],
  );
}

/** The record of a shard is read once, for all its tenants. */
async function forecastCaps(
  changing: readonly { readonly before: Tenant; readonly after: Tenant }[],
  since: number,
  { readLeases }: ForecastPorts,
): Promise<ReadonlyMap<string, NonNullable<Forecast['cap']>>> {
  const caps = new Map<string, NonNullable<Forecast['cap']>>();
  const other = changing.filter(
    ({ before, after }) => before.limits.concurrency !== after.limits.concurrency,
  );
  for (const [shard, tenants] of Map.groupBy(other, ({ before }) => before.shard)) {
    const replays = new Map<string, CapReplay>(
      tenants.map(({ before }) => [before.id, new CapReplay(before.limits.concurrency)]),
    );
    let from: number | undefined;
    for await (const events of readLeases(shard, since)) {
      from ??= events[0]?.at;
      for (const event of events) if ('tenant' in event) replays.get(event.tenant)?.apply(event);
    }
    for (const { before, after } of tenants) {
      const change = { before: before.limits.concurrency, after: after.limits.concurrency };
      const replayed = replays.get(before.id)?.finish(change.after);
      if (replayed && from !== undefined && replayed.calls > 0) {
        caps.set(before.id, { ...replayed, ...change, from: Math.max(from, since) });
      }
    }
  }
  return caps;
}
