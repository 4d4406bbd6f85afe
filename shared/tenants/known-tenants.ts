/** A tenant's record by its id: from the store, cached for as long as nobody has written it. */
import { TenantId } from '../ids.ts';
import { readRecord, recordCaching, type CachePorts } from './known-records.ts';
import { createReadThrough } from './read-through.ts';
import { everyTenant, type TenantChange } from './tenant-changes.ts';
import type { TenantStore } from './tenant-store.ts';
import type { Tenant } from './tenant.ts';

export interface KnownTenants {
  /** @throws {Fault} `overloaded` if the store does not answer. */
  find(id: TenantId): Promise<Tenant | undefined>;
  /** Reads what a change concerns anew from now on. */
  invalidate(change: TenantChange): void;
}

export function createKnownTenants(
  ports: CachePorts & { readonly store: Pick<TenantStore, 'readTenant'> },
): KnownTenants {
  const tenants = createReadThrough<Tenant>({
    ...recordCaching(ports),
    read: (id, signal) => ports.store.readTenant(TenantId.parse(id), signal),
  });
  return {
    find: (id) => readRecord(tenants, id),
    invalidate: (change) => tenants.forget((id) => change === everyTenant || change === id),
  };
}
