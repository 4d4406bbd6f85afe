/**
 * Decisions on their way into the audit: a Redis stream for each tenant. What is in it survives the
 * death of the process that decided, and waits there while DynamoDB is away, within a bound.
 */
import { randomBytes } from 'node:crypto';
import type { Redis } from 'ioredis';
import { z } from 'zod';
import type { TenantId } from '../ids.ts';
import { createLuaScript, readLuaScript } from '../queue/lua-script.ts';
import { indexPrefix } from '../queue/names.ts';
import { AuditEvent, AuditGap } from './entry.ts';

/** One line for the outbox of a tenant: an event, or how many the process had to drop. */
export interface OutboxLine {
  readonly tenant: TenantId;
  readonly content: AuditEvent | { readonly dropped: number };
}

export interface OutboxItem {
  readonly id: string;
  readonly event: AuditEvent | AuditGap;
}

/** Every function rejects with ioredis' errors if Redis does not answer. */
export interface Outbox {
  /** Can be sent again under the same number, which must grow from batch to batch. */
  append(shard: number, batch: number, lines: readonly OutboxLine[]): Promise<void>;
  tenants(shard: number): Promise<readonly TenantId[]>;
  /** The oldest items, in order. */
  read(shard: number, tenant: TenantId, count: number): Promise<readonly OutboxItem[]>;
  /** True if a gap had to be put in: the outbox had been full. */
  remove(shard: number, tenant: TenantId, ids: readonly string[]): Promise<boolean>;
  /** Runs `work` unless another process does the like; false if it does. */
  exclusively(shard: number, work: () => Promise<void>): Promise<boolean>;
}

/** About 350 bytes each. A tenant may hold its equal share of them. */
const defaultMaxItems = 50_000;
const batchNumberTtlMs = 600_000;
/** Only saves work: two processes that drain at once get in each other's way and do no harm. */
const turnMs = 15_000;

const StreamItems = z.array(z.tuple([z.string(), z.tuple([z.string(), z.string()])]));
const Item = z.union([AuditGap, AuditEvent]);

const appendScript = readLuaScript(new URL('scripts/append.lua', import.meta.url));
const removeScript = readLuaScript(new URL('scripts/remove.lua', import.meta.url));
const endTurn = createLuaScript(
  `if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end`,
);

export function createOutbox(
  redis: Redis,
  options: { readonly name: string; readonly maxItems?: number },
): Outbox {
  const { name, maxItems = defaultMaxItems } = options;

  return {
    async append(shard, batch, lines) {
      const keys = [pendingKey(shard), droppedKey(shard), `${auditPrefix(shard)}sent:${name}`];
      const args = lines.flatMap(({ tenant, content }) =>
        'dropped' in content
          ? [tenant, 'dropped', content.dropped]
          : [tenant, 'event', JSON.stringify(content)],
      );
      const head = [outboxKey(shard, ''), maxItems, batch, batchNumberTtlMs];
      await appendScript.run(redis, keys, [...head, ...args]);
    },

    async tenants(shard) {
      return z.array(z.string().brand<'TenantId'>()).parse(await redis.smembers(pendingKey(shard)));
    },

    async read(shard, tenant, count) {
      const items = await redis.xrange(outboxKey(shard, tenant), '-', '+', 'COUNT', count);
      return StreamItems.parse(items).map(([id, [, text]]) => ({
        id,
        event: Item.parse(JSON.parse(text)),
      }));
    },

    async remove(shard, tenant, ids) {
      const keys = [pendingKey(shard), droppedKey(shard), outboxKey(shard, tenant)];
      return (await removeScript.run(redis, keys, [tenant, ...ids])) === 1;
    },

    async exclusively(shard, work) {
      const key = `${auditPrefix(shard)}turn`;
      const token = randomBytes(12).toString('base64url');
      if ((await redis.set(key, token, 'PX', turnMs, 'NX')) === null) return false;
      try {
        await work();
      } finally {
        await endTurn.run(redis, [key], [token]).catch(() => undefined);
      }
      return true;
    },
  };
}

const auditPrefix = (shard: number): string => `${indexPrefix(shard)}audit:`;
/** Set: tenants with something in their outbox. */
const pendingKey = (shard: number): string => `${auditPrefix(shard)}pending`;
/** Hash: decisions dropped for want of room, by tenant. */
const droppedKey = (shard: number): string => `${auditPrefix(shard)}dropped`;
/** Stream: a tenant's decisions that are not chained yet. */
const outboxKey = (shard: number, tenant: TenantId | ''): string =>
  `${auditPrefix(shard)}outbox:${tenant}`;
