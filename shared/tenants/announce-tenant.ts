/** Makes a tenant's new record count in the running cluster: its limits at once, the rest by telling everyone. */
import type { Redis } from 'ioredis';
import { createInvocationQueue } from '../queue/invocation-queue.ts';
import { publishTenantChange } from './tenant-changes.ts';
import type { Tenant } from './tenant.ts';

export function createAnnouncer(redis: Redis): (tenant: Tenant) => Promise<void> {
  // Never claims: name and lease are not used.
  const queue = createInvocationQueue(redis, { name: 'announcer', leaseMs: 1_000 });
  return async (tenant) => {
    await queue.setLimits(tenant);
    await publishTenantChange(redis, tenant.id);
  };
}
