/** Makes the store say what a list of declared tenants says, in one change that can be taken back. */
import type { TenantId } from '../ids.ts';
import { planTenants, toEdits, type PlannedTenant } from './plan-tenants.ts';
import type { TenantStore } from './tenant-store.ts';
import type { DeclaredTenant } from './tenants-file.ts';
import type { Tenant } from './tenant.ts';

export interface AppliedTenant {
  readonly id: TenantId;
  readonly change: PlannedTenant['change'];
  readonly version: number;
  /** Users added or changed. */
  readonly users: number;
  /** The change set that holds what was before, if anything changed. */
  readonly changeSet?: string;
}

export interface ApplyPorts {
  readonly store: TenantStore;
  /** Tells the running cluster that a tenant or one of its users changed. */
  readonly announce: (tenant: Tenant) => Promise<void>;
  /** New tenants are spread over this many shards. */
  readonly shards: number;
  /** Who it is, for the list of changes. Default `operator`. */
  readonly by?: string;
  /** Hears of each tenant that was created, changed or taken away, and of what did it. */
  readonly onApplied?: (tenant: Tenant, change: AppliedChange, what: string) => void;
}

export type AppliedChange = 'created' | 'updated' | 'deleted';

/**
 * All of them or none, see `change-log.ts`.
 * @throws {TenantChanged} if somebody else changes one of them meanwhile.
 */
export async function applyTenants(
  declared: readonly DeclaredTenant[],
  ports: ApplyPorts,
): Promise<readonly AppliedTenant[]> {
  const { store, announce, by = 'operator', onApplied } = ports;
  const planned = await planTenants(declared, ports);
  const edits = planned.flatMap(toEdits);
  if (edits.length === 0) return planned.map((tenant) => toApplied(tenant));
  const { id } = await store.commitChange(edits, { by, what: 'tenants file' });
  for (const { change, before, after } of planned) {
    if (change === 'unchanged') continue;
    await announce(after);
    onApplied?.(after, before ? 'updated' : 'created', `tenants file, change ${id}`);
  }
  return planned.map((tenant) => toApplied(tenant, id));
}

function toApplied({ id, change, after, users }: PlannedTenant, changeSet?: string): AppliedTenant {
  const applied = { id, change, version: after.version, users: users.length };
  return changeSet === undefined || change === 'unchanged' ? applied : { ...applied, changeSet };
}
