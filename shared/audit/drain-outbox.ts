/**
 * Moves decisions from the outbox into the chain, each exactly once and in order, whoever else does
 * the same. The head names the item that was chained last: the head is known before the outbox is
 * read, and a page is written only if that is still the head, so that whatever comes in the outbox
 * up to that item has been chained, and nothing after it has.
 */
import type { TenantId } from '../ids.ts';
import type { AuditHead, AuditLog } from './audit-log.ts';
import { chainPage, chainStart } from './entry.ts';
import { foldRefusals } from './fold-refusals.ts';
import type { Outbox, OutboxItem } from './outbox.ts';

export interface DrainPorts {
  readonly outbox: Pick<Outbox, 'read' | 'remove'>;
  readonly log: Pick<AuditLog, 'readHead' | 'append'>;
  /** Seconds for which an entry is kept at least. */
  readonly retentionSeconds: number;
}

export type DrainOutbox = (shard: number, tenant: TenantId) => Promise<void>;

/** Far below the 400 KB that an item may have, whatever the entries. */
const pageItems = 200;
const rememberedHeads = 10_000;

/** Rejects with `ChainMoved` if another process was quicker, and with what DynamoDB and Redis say. */
export function createDrainOutbox({ outbox, log, retentionSeconds }: DrainPorts): DrainOutbox {
  // Ours are the newest until a write fails, which saves reading them.
  const heads = new Map<TenantId, AuditHead>();

  /** True if there is more. */
  async function drainPage(shard: number, tenant: TenantId): Promise<boolean> {
    const head = heads.get(tenant) ?? (await log.readHead(tenant));
    const items = await outbox.read(shard, tenant, pageItems);
    const fresh = afterItem(items, head?.lastItem);
    const last = fresh.at(-1);
    if (last) {
      const keptUntil = Math.ceil(Date.now() / 1_000) + retentionSeconds;
      const events = foldRefusals(fresh.map(({ event }) => event));
      const { entries, end } = chainPage(head ?? chainStart(tenant), events, keptUntil);
      const next = { ...end, lastItem: last.id };
      heads.delete(tenant);
      await log.append(tenant, { entries, head: next }, head);
      if (heads.size < rememberedHeads) heads.set(tenant, next);
    }
    const ids = items.map(({ id }) => id);
    const addedGap = await outbox.remove(shard, tenant, ids);
    return addedGap || ids.length === pageItems;
  }

  return async (shard, tenant) => {
    while (await drainPage(shard, tenant));
  };
}

function afterItem(items: readonly OutboxItem[], id: string | undefined): readonly OutboxItem[] {
  return items.slice(items.findIndex((item) => item.id === id) + 1);
}
