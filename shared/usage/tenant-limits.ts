/** A tenant's limits for the worker that serves it: from its record, at most some seconds old. */
import { Fault } from '../faults.ts';
import type { TenantId } from '../ids.ts';
import type { KnownTenants } from '../tenants/known-tenants.ts';
import type { AwsRates, Limits, Tenant } from '../tenants/tenant.ts';

export interface TenantLimits {
  /** @throws {Fault} `overloaded` if the record cannot be read, `tenant_suspended` if there is none. */
  limitsOf(tenant: TenantId): Promise<Limits>;
  /** The same, for the tenant's rates and where in Redis they are kept. */
  ratesOf(tenant: TenantId): Promise<{ readonly shard: number; readonly aws: AwsRates }>;
}

export function createTenantLimits(tenants: Pick<KnownTenants, 'find'>): TenantLimits {
  const recordOf = async (id: TenantId): Promise<Tenant> => {
    const record = await tenants.find(id);
    if (!record) throw new Fault('tenant_suspended', 'There is no such tenant any more.');
    return record;
  };

  return {
    limitsOf: async (tenant) => (await recordOf(tenant)).limits,
    async ratesOf(tenant) {
      const { shard, limits } = await recordOf(tenant);
      return { shard, aws: limits.aws };
    },
  };
}
