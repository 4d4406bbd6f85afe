/** The session store as a plain list: what the scripts must agree with, and what tests without Redis use. */
import type { SessionRecord, SessionStore } from '../../shared/sessions/session-store.ts';

interface Options {
  readonly idleMs: number;
  readonly noteMs: number;
  /** Epoch milliseconds. */
  readonly now: () => number;
}

export function createSessionModel({ idleMs, noteMs, now }: Options): SessionStore {
  const tenants = new Map<string, SessionRecord[]>();
  const standing = (tenant: string): SessionRecord[] =>
    (tenants.get(tenant) ?? [])
      .filter(({ lastSeenAt }) => now() - lastSeenAt < idleMs)
      .sort((a, b) => a.lastSeenAt - b.lastSeenAt || (a.id < b.id ? -1 : 1));

  return {
    async open(tenant, session) {
      const others = standing(tenant.id);
      const evicted = others.splice(0, Math.max(0, others.length + 1 - tenant.limits.sessions));
      const record = { ...session, createdAt: now(), lastSeenAt: now() };
      tenants.set(tenant.id, [...others, record]);
      return evicted.map(({ id }) => id);
    },
    async touch(tenant, id) {
      const found = standing(tenant.id).find((session) => session.id === id);
      if (!found) return false;
      const noted = now() - found.lastSeenAt >= noteMs ? { ...found, lastSeenAt: now() } : found;
      tenants.set(tenant.id, [...standing(tenant.id).filter((each) => each !== found), noted]);
      return true;
    },
    list: async (tenant) => standing(tenant.id),
    async end(tenant, ids) {
      const before = standing(tenant.id);
      const after = before.filter(({ id }) => !ids.includes(id));
      tenants.set(tenant.id, after);
      return before.length - after.length;
    },
  };
}
