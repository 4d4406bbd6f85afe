/**
 * Follows the notes that every write of a tenant's records leaves, so that caches may keep what
 * nobody has written instead of reading ten thousand tenants again every few seconds. Word over
 * pub/sub comes sooner; this one is never lost.
 */
import { everyTenant, type TenantChange } from './tenant-changes.ts';
import type { WriteNotes } from './write-notes.ts';

export interface FollowWritesPorts {
  readonly store: WriteNotes;
  readonly onChange: (change: TenantChange) => void;
  readonly onProblem: (what: string, cause: unknown) => void;
}

export interface WriteFollower {
  /** Monotonic ms: every write that was done by then has been told. While nobody asks, nobody looks. */
  confirmedAt(): number;
  close(): void;
}

/** With the time of a read below the 4 s for which an unconfirmed answer is current. */
const lookEveryMs = 1_500;
/** Writers' clocks may be so far apart; what is later still holds after a minute. */
const overlapMs = 15_000;

export function followWrites({ store, onChange, onProblem }: FollowWritesPorts): WriteFollower {
  let confirmedAt = Number.NEGATIVE_INFINITY;
  let told = new Set<string>();
  let since = Date.now();
  let failing = false;
  let isWanted = false;

  async function look(): Promise<void> {
    const lookedAt = performance.now();
    const now = Date.now();
    isWanted = false;
    const { notes, isWhole } = await store.readWrites(since - overlapMs);
    const fresh = notes.filter(({ id }) => !told.has(id));
    const changed = isWhole ? new Set(fresh.flatMap(({ tenants }) => tenants)) : [everyTenant];
    for (const change of changed) onChange(change);
    // Of an earlier window none can come again.
    told = new Set(notes.map(({ id }) => id));
    since = now;
    confirmedAt = lookedAt;
  }

  async function lookAndGoOn(): Promise<void> {
    try {
      if (isWanted) {
        await look();
        failing = false;
      }
    } catch (cause) {
      if (!failing) onProblem('Changes of tenants cannot be read', cause);
      failing = true;
    }
    timer.refresh();
  }

  const timer = setTimeout(() => void lookAndGoOn(), lookEveryMs).unref();
  return {
    confirmedAt() {
      isWanted = true;
      return confirmedAt;
    },
    close: () => {
      clearTimeout(timer);
    },
  };
}
