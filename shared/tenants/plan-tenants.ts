/**
 * What a list of declared tenants would change. A declaration is whole: what it leaves out takes its
 * default. Tenants and users that it does not name stay as they are.
 */
import { randomInt } from 'node:crypto';
import type { TenantId } from '../ids.ts';
import { isSame, type Edit, type UserEdit } from './change-set.ts';
import type { TenantStore } from './tenant-store.ts';
import type { DeclaredTenant } from './tenants-file.ts';
import { Tenant } from './tenant.ts';

export interface PlannedTenant {
  readonly id: TenantId;
  readonly change: 'created' | 'changed' | 'suspended' | 'resumed' | 'unchanged';
  readonly before: Tenant | undefined;
  /** With the version that it gets. */
  readonly after: Tenant;
  readonly users: readonly UserEdit[];
}

export interface PlanPorts {
  readonly store: Pick<TenantStore, 'readTenant' | 'readDeleted' | 'readUser'>;
  /** New tenants are spread over this many shards. */
  readonly shards: number;
}

const readsAtOnce = 16;

export async function planTenants(
  declared: readonly DeclaredTenant[],
  ports: PlanPorts,
): Promise<readonly PlannedTenant[]> {
  const planned: PlannedTenant[] = [];
  for (let from = 0; from < declared.length; from += readsAtOnce) {
    const some = declared.slice(from, from + readsAtOnce);
    planned.push(...(await Promise.all(some.map((tenant) => planTenant(tenant, ports)))));
  }
  return planned;
}

async function planTenant(
  { users, ...declared }: DeclaredTenant,
  { store, shards }: PlanPorts,
): Promise<PlannedTenant> {
  const { id } = declared;
  const before = await store.readTenant(id);
  const left = before ?? (await store.readDeleted(id));
  const shard = left?.shard ?? randomInt(shards);
  const wanted = Tenant.parse({ ...declared, shard, version: (left?.version ?? 0) + 1 });
  const stays = isSame(before, wanted);
  const edits: UserEdit[] = [];
  for (const after of users) {
    const stored = await store.readUser(id, after.id);
    if (!isSame(stored, after)) edits.push({ kind: 'user', tenant: id, before: stored, after });
  }
  const after = before && stays ? before : wanted;
  const isUnchanged = stays && edits.length === 0;
  return {
    id,
    before,
    after,
    users: edits,
    change: isUnchanged ? 'unchanged' : nameOf(before, after),
  };
}

function nameOf(before: Tenant | undefined, after: Tenant): PlannedTenant['change'] {
  if (!before) return 'created';
  if (before.status === after.status) return 'changed';
  return after.status === 'suspended' ? 'suspended' : 'resumed';
}

export function toEdits({ id, before, after, users }: PlannedTenant): readonly Edit[] {
  const stays = before?.version === after.version;
  return [...(stays ? [] : [{ kind: 'tenant' as const, tenant: id, before, after }]), ...users];
}
