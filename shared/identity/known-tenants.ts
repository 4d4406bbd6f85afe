/**
 * A tenant's record by its id alone, cached for seconds like those in `shared/tenants/directory.ts`:
 * the bearer of an outside token need not be one of the tenant's recorded users.
 */
import { Fault } from '../faults.ts';
import { TenantId } from '../ids.ts';
import { createReadThrough } from '../tenants/read-through.ts';
import { everyTenant, type TenantChange } from '../tenants/tenant-changes.ts';
import type { TenantStore } from '../tenants/tenant-store.ts';
import type { Tenant } from '../tenants/tenant.ts';

export interface KnownTenants {
  /** @throws {Fault} `overloaded` if the store does not answer. */
  find(id: TenantId): Promise<Tenant | undefined>;
  /** Reads what a change concerns anew from now on. */
  invalidate(change: TenantChange): void;
}

const retryMs = 1_000;

const limits = {
  capacity: 10_000,
  ttlMs: 4_000,
  absentTtlMs: 1_000,
  staleMs: 30_000,
  timeoutMs: 2_000,
  retryMs,
};

export function createKnownTenants(store: Pick<TenantStore, 'readTenant'>): KnownTenants {
  const tenants = createReadThrough<Tenant>({
    ...limits,
    now: () => performance.now(),
    read: (id, signal) => store.readTenant(TenantId.parse(id), signal),
  });
  return {
    async find(id) {
      try {
        return await tenants.get(id);
      } catch (cause) {
        throw new Fault('overloaded', 'Tenant records cannot be read', {
          retryAfterMs: retryMs,
          cause,
        });
      }
    },
    invalidate(change) {
      tenants.forget((id) => change === everyTenant || change === id);
    },
  };
}
