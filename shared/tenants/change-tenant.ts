/** One change of a tenant's record: written, announced to the running cluster, and in its audit. */
import type { AuditAction } from '../audit/entry.ts';
import type { RecordChange } from '../audit/operator-change.ts';
import { setFields } from './set-fields.ts';
import type { TenantStore } from './tenant-store.ts';
import type { Tenant } from './tenant.ts';

export interface ChangePorts {
  readonly store: Pick<TenantStore, 'writeTenant'>;
  readonly announce: (tenant: Tenant) => Promise<void>;
  readonly recordChange: RecordChange;
}

/** @throws {TenantChanged} if somebody else changed the record meanwhile. */
export async function setStatus(
  tenant: Tenant,
  status: Tenant['status'],
  ports: ChangePorts,
): Promise<Tenant> {
  const action = status === 'active' ? 'tenants/resume' : 'tenants/suspend';
  return change(tenant, { ...tenant, status }, { action }, ports);
}

/**
 * `fields` as an operator writes them: `limits.concurrency=5`.
 * @throws {TenantChanged} likewise, and what `setFields` throws.
 */
export async function changeFields(
  tenant: Tenant,
  fields: readonly string[],
  ports: ChangePorts,
): Promise<Tenant> {
  const what = { action: 'tenants/update' as const, subject: fields.join(' ') };
  return change(tenant, setFields(tenant, fields), what, ports);
}

async function change(
  before: Tenant,
  after: Tenant,
  what: { readonly action: AuditAction; readonly subject?: string },
  { store, announce, recordChange }: ChangePorts,
): Promise<Tenant> {
  const written = await store.writeTenant(after, before.version);
  await announce(written);
  recordChange(written, { ...what, decision: 'allowed' });
  return written;
}
