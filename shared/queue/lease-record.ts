/**
 * The record of leases: what the scripts wrote down of every admission, grant, renewal and release,
 * in the transition that did it. `verify-caps.ts` replays it.
 *
 * One entry holds the notes of one script, separated by `;`. Calls appear with ten characters of
 * their id. The stream is bounded: under load it reaches back minutes, otherwise days.
 */
import type { Redis } from 'ioredis';
import { z } from 'zod';
import type { TenantId } from '../ids.ts';
import { leaseStream, queueKey } from './names.ts';

/** A call of a tenant, as one text. */
export type CallName = string;

export type LeaseNote =
  | { readonly kind: 'admitted'; readonly tenant: string; readonly call: CallName }
  /** A call went back in line: handed back, or its lease ran out. */
  | { readonly kind: 'waits'; readonly tenant: string; readonly call: CallName }
  | {
      readonly kind: 'granted';
      readonly tenant: string;
      readonly call: CallName;
      readonly leaseMs: number;
    }
  | {
      readonly kind: 'renewed';
      readonly leaseMs: number;
      readonly held: readonly { readonly tenant: string; readonly call: CallName }[];
    }
  | { readonly kind: 'settled'; readonly tenant: string; readonly call: CallName }
  /** Cancelled or expired without a lease. */
  | { readonly kind: 'removed'; readonly tenant: string; readonly call: CallName }
  | {
      readonly kind: 'limits';
      readonly tenant: string;
      /** Undefined if the tenant had no cap, and so could not start anything. */
      readonly before: number | undefined;
      readonly cap: number;
      readonly weight: number;
    }
  | { readonly kind: 'held'; readonly ms: number }
  | { readonly kind: 'worker'; readonly name: string; readonly slots: number; readonly ms: number };

export type LeaseEvent = LeaseNote & {
  /** Epoch ms by the clock of Redis. */
  readonly at: number;
};

const pageSize = 2_000;
const Page = z.array(z.tuple([z.string(), z.array(z.string())]));

/** Every event that the shards still hold, oldest first. Events of a form that this build does not know are left out. */
export async function readLeaseRecord(redis: Redis, shards: number): Promise<LeaseEvent[]> {
  const events: LeaseEvent[] = [];
  for (let shard = 0; shard < shards; shard += 1) {
    for await (const page of leasePages(redis, shard)) events.push(...page);
  }
  return shards === 1 ? events : events.sort((a, b) => a.at - b.at);
}

/** The events of one shard from a time on, oldest first, a page at a time. */
export async function* leasePages(
  redis: Redis,
  shard: number,
  sinceMs = 0,
): AsyncGenerator<readonly LeaseEvent[]> {
  for (let from = String(Math.floor(sinceMs)); ;) {
    const page = Page.parse(await redis.xrange(leaseStream(shard), from, '+', 'COUNT', pageSize));
    yield page.flatMap(([id, fields]) => parseEntry(id, fields));
    const last = page.at(-1);
    if (!last || page.length < pageSize) return;
    from = `(${last[0]}`;
  }
}

/** The events of one shard between two times, oldest first; of a longer span than `most` entries, its start. */
export async function readLeaseWindow(
  redis: Redis,
  shard: number,
  window: { readonly from: number; readonly to: number; readonly most: number },
): Promise<readonly LeaseEvent[]> {
  const { from, to, most } = window;
  const found = await redis.xrange(
    leaseStream(shard),
    Math.floor(from),
    Math.ceil(to),
    'COUNT',
    most,
  );
  return Page.parse(found).flatMap(([id, fields]) => parseEntry(id, fields));
}

/** Cap and weight of each tenant as its queue has them now; of those alone that have a queue. */
export async function readQueueLimits(
  redis: Redis,
  shards: number,
  tenants: readonly TenantId[],
): Promise<Map<string, { readonly cap: number; readonly weight: number }>> {
  const found = new Map<string, { readonly cap: number; readonly weight: number }>();
  for (let shard = 0; shard < shards; shard += 1) {
    for (const tenant of tenants) {
      const meta = queueKey(shard, tenant, 'meta');
      const [cap, weight] = await redis.hmget(meta, 'concurrency', 'weight');
      if (typeof cap === 'string')
        found.set(tenant, { cap: Number(cap), weight: Number(weight ?? 1) });
    }
  }
  return found;
}

function parseEntry(entryId: string, fields: readonly string[]): LeaseEvent[] {
  const at = Number(entryId.slice(0, entryId.indexOf('-')));
  const texts = (fields[1] ?? '').split(';');
  return texts.flatMap((text) => {
    const note = parseNote(text);
    return note ? [{ ...note, at }] : [];
  });
}

function parseNote(text: string): LeaseNote | undefined {
  const [kind = '', first = '', second = '', third = '', fourth = ''] = text.split(' ');
  const tenant = first;
  const call = `${first}/${second}`;
  switch (kind) {
    case 'a':
      return { kind: 'admitted', tenant, call };
    case 'b':
    case 'l':
      return { kind: 'waits', tenant, call };
    case 'g':
      return { kind: 'granted', tenant, call, leaseMs: Number(third) };
    case 'r':
      return { kind: 'renewed', leaseMs: Number(first), held: pairs(text.split(' ').slice(2)) };
    case 's':
      return { kind: 'settled', tenant, call };
    case 'x':
      return { kind: 'removed', tenant, call };
    case 'c': {
      const before = second === '-' ? undefined : Number(second);
      return { kind: 'limits', tenant, before, cap: Number(third), weight: Number(fourth) };
    }
    case 'h':
      return { kind: 'held', ms: Number(first) };
    case 'w':
      return { kind: 'worker', name: first, slots: Number(second), ms: Number(third) };
    default:
      return undefined;
  }
}

function pairs(words: readonly string[]): { tenant: string; call: CallName }[] {
  return words.flatMap((tenant, i) =>
    i % 2 === 0 ? [{ tenant, call: `${tenant}/${words[i + 1] ?? ''}` }] : [],
  );
}
