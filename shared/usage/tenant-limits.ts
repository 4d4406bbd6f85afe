/** A tenant's limits for the worker that serves it: from its record, at most some seconds old. */
import { Fault } from '../faults.ts';
import { TenantId } from '../ids.ts';
import { createReadThrough } from '../tenants/read-through.ts';
import { everyTenant, type TenantChange } from '../tenants/tenant-changes.ts';
import type { TenantStore } from '../tenants/tenant-store.ts';
import type { AwsRates, Limits, Tenant } from '../tenants/tenant.ts';

export interface TenantLimits {
  /** @throws {Fault} `overloaded` if the record cannot be read, `tenant_suspended` if there is none. */
  limitsOf(tenant: TenantId): Promise<Limits>;
  /** The same, for the tenant's rates and where in Redis they are kept. */
  ratesOf(tenant: TenantId): Promise<{ readonly shard: number; readonly aws: AwsRates }>;
  /** Reads what a change concerns anew from now on. */
  invalidate(change: TenantChange): void;
}

const retryMs = 1_000;
const kept = {
  capacity: 10_000,
  // Below the 5 s within which a change holds everywhere, announced or not.
  ttlMs: 4_000,
  absentTtlMs: 1_000,
  staleMs: 30_000,
  timeoutMs: 2_000,
  retryMs,
};

export function createTenantLimits(ports: {
  readonly store: Pick<TenantStore, 'readTenant'>;
  /** Monotonic milliseconds. */
  readonly now?: () => number;
}): TenantLimits {
  const records = createReadThrough<Tenant>({
    ...kept,
    now: ports.now ?? (() => performance.now()),
    read: (id, signal) => ports.store.readTenant(TenantId.parse(id), signal),
  });

  const recordOf = async (id: TenantId): Promise<Tenant> => {
    const record = await records.get(id).catch((cause: unknown) => {
      const message = 'The limits of the tenant cannot be read. Retry in 1 s.';
      throw new Fault('overloaded', message, { retryAfterMs: retryMs, cause });
    });
    if (!record) throw new Fault('tenant_suspended', 'There is no such tenant any more.');
    return record;
  };

  return {
    limitsOf: async (tenant) => (await recordOf(tenant)).limits,
    async ratesOf(tenant) {
      const { shard, limits } = await recordOf(tenant);
      return { shard, aws: limits.aws };
    },
    invalidate: (change) => records.forget((id) => change === everyTenant || change === id),
  };
}
