/** Ends sessions of a tenant's 2025-era clients, which may open new ones, and writes it into the audit. */
import type { RecordChange } from '../audit/operator-change.ts';
import type { Tenant } from '../tenants/tenant.ts';
import type { SessionRecord, SessionStore } from './session-store.ts';

export interface RevokeSessionsPorts {
  readonly sessions: SessionStore;
  readonly recordChange: RecordChange;
}

/** Resolves with how many there were. */
export async function revokeSessions(
  tenant: Pick<Tenant, 'id' | 'shard'>,
  isMeant: (session: SessionRecord) => boolean,
  { sessions, recordChange }: RevokeSessionsPorts,
): Promise<number> {
  const meant = (await sessions.list(tenant)).filter(isMeant).map(({ id }) => id);
  const ended = await sessions.end(tenant, meant);
  const subject = meant.length === 1 ? meant[0] : `${ended} sessions`;
  if (ended > 0) recordChange(tenant, { action: 'sessions/revoke', subject, decision: 'allowed' });
  return ended;
}
