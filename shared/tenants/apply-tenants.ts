/**
 * Makes the store say what a list of declared tenants says. A declaration is whole: what it leaves
 * out takes its default. Users are added and changed, never removed.
 */
import { randomInt } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import type { TenantId } from '../ids.ts';
import type { TenantStore } from './tenant-store.ts';
import type { DeclaredTenant } from './tenants-file.ts';
import { Tenant } from './tenant.ts';

export interface AppliedTenant {
  readonly id: TenantId;
  readonly change: 'created' | 'updated' | 'unchanged';
  readonly version: number;
  /** Users added or changed. */
  readonly users: number;
}

export interface ApplyPorts {
  readonly store: TenantStore;
  /** Tells the running cluster that a tenant or one of its users changed. */
  readonly announce: (tenant: Tenant) => Promise<void>;
  /** New tenants are spread over this many shards. */
  readonly shards: number;
  /** Hears of each tenant that was created or changed. */
  readonly onApplied?: (tenant: Tenant, change: 'created' | 'updated') => void;
}

export async function applyTenants(
  declared: readonly DeclaredTenant[],
  ports: ApplyPorts,
): Promise<readonly AppliedTenant[]> {
  const applied: AppliedTenant[] = [];
  for (const tenant of declared) applied.push(await applyTenant(tenant, ports));
  return applied;
}

async function applyTenant(
  { users, ...declared }: DeclaredTenant,
  { store, announce, shards, onApplied }: ApplyPorts,
): Promise<AppliedTenant> {
  const stored = await store.readTenant(declared.id);
  const deleted = stored ? undefined : await store.readDeleted(declared.id);
  const wanted = Tenant.parse({
    ...declared,
    shard: (stored ?? deleted)?.shard ?? randomInt(shards),
    version: stored?.version ?? 1,
  });
  const same = isDeepStrictEqual(stored, wanted);
  const write = (): Promise<Tenant> =>
    stored ? store.writeTenant(wanted, stored.version) : store.createTenant(wanted, deleted);
  const tenant = same ? wanted : await write();

  let changedUsers = 0;
  for (const user of users) {
    if (isDeepStrictEqual(await store.readUser(declared.id, user.id), user)) continue;
    await store.writeUser(declared.id, user);
    changedUsers += 1;
  }
  const unchanged = same && changedUsers === 0;
  const change = unchanged ? 'unchanged' : stored ? 'updated' : 'created';
  if (change !== 'unchanged') {
    await announce(tenant);
    onApplied?.(tenant, change);
  }
  return { id: tenant.id, change, version: tenant.version, users: changedUsers };
}
