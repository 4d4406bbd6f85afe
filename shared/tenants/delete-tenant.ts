/**
 * Takes a tenant away: its keys, users and record. What it has stored stays, and so does its audit.
 * It is suspended first, so that no call slips in between the look and the deletion.
 */
import type { TenantStore } from './tenant-store.ts';
import type { Tenant } from './tenant.ts';

export interface DeletePorts {
  readonly store: TenantStore;
  /** Tells the running cluster that the tenant changed. */
  readonly announce: (tenant: Tenant) => Promise<void>;
  /** How many accepted calls of the tenant are not settled. */
  readonly countOutstanding: (tenant: Tenant) => Promise<number>;
}

export interface DeletedTenant {
  readonly outcome: 'deleted';
  readonly users: number;
  readonly keys: number;
  /** Accepted calls: those running finish, those waiting are answered at their deadlines. */
  readonly outstanding: number;
}

/** Nothing was changed: so many accepted calls are not settled. */
export interface BusyTenant {
  readonly outcome: 'busy';
  readonly outstanding: number;
}

/** @throws {TenantChanged} if somebody else changes the record meanwhile. */
export async function deleteTenant(
  tenant: Tenant,
  options: { readonly force: boolean },
  ports: DeletePorts,
): Promise<DeletedTenant | BusyTenant> {
  const { store, announce, countOutstanding } = ports;
  const write = async (change: Tenant, previous: number): Promise<Tenant> => {
    const written = await store.writeTenant(change, previous);
    await announce(written);
    return written;
  };

  let current = await write({ ...tenant, status: 'suspended' }, tenant.version);
  const outstanding = await countOutstanding(current);
  if (outstanding > 0 && !options.force) {
    await write(tenant, current.version);
    return { outcome: 'busy', outstanding };
  }
  if (outstanding > 0) {
    // Nothing of it starts any more.
    const limits = { ...current.limits, concurrency: 0 };
    current = await write({ ...current, limits }, current.version);
  }

  const keys = await store.listKeys(tenant.id);
  for (const { hash } of keys) await store.revokeKey(hash, tenant.id);
  const users = await store.listUsers(tenant.id);
  for (const { id } of users) await store.deleteUser(tenant.id, id);
  await store.deleteTenant(current);
  await announce(current);
  return { outcome: 'deleted', users: users.length, keys: keys.length, outstanding };
}
