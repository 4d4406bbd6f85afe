/** Decisions that are not in Redis yet: as many as there is room for, and the number of the others. */
import type { TenantId } from '../ids.ts';
import type { OutboxLine } from './outbox.ts';

export interface WaitingLines {
  readonly isEmpty: boolean;
  add(shard: number, line: OutboxLine): void;
  /** The next lines of one shard, oldest first; what was dropped comes after what was kept. */
  take(): { readonly shard: number; readonly lines: readonly OutboxLine[] } | undefined;
}

const linesAtOnce = 500;

export function createWaitingLines(max: number): WaitingLines {
  const kept = new Map<number, OutboxLine[]>();
  const dropped = new Map<number, Map<TenantId, number>>();
  let size = 0;

  function drop(shard: number, tenant: TenantId): void {
    const counts = dropped.get(shard) ?? new Map<TenantId, number>();
    dropped.set(shard, counts.set(tenant, (counts.get(tenant) ?? 0) + 1));
  }

  return {
    get isEmpty() {
      return kept.size === 0 && dropped.size === 0;
    },

    add(shard, line) {
      if (size >= max) {
        drop(shard, line.tenant);
        return;
      }
      size += 1;
      const lines = kept.get(shard);
      if (lines) lines.push(line);
      else kept.set(shard, [line]);
    },

    take() {
      for (const [shard, lines] of kept) {
        const taken = lines.splice(0, linesAtOnce);
        size -= taken.length;
        if (lines.length === 0) kept.delete(shard);
        return { shard, lines: taken };
      }
      for (const [shard, counts] of dropped) {
        dropped.delete(shard);
        const lines = [...counts].map(([tenant, count]) => ({
          tenant,
          content: { dropped: count },
        }));
        return { shard, lines };
      }
      return undefined;
    },
  };
}
