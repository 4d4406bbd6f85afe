/** Takes away what lets somebody act for a tenant: a key, or a user with all of its keys. */
import type { Redis } from 'ioredis';
import type { RecordChange } from '../audit/operator-change.ts';
import type { UserId } from '../ids.ts';
import { keyId, type KeyHash } from './api-keys.ts';
import { publishTenantChange } from './tenant-changes.ts';
import type { TenantStore } from './tenant-store.ts';
import type { Tenant } from './tenant.ts';

type Owner = Pick<Tenant, 'id' | 'shard'>;

export interface RevokePorts {
  readonly store: TenantStore;
  readonly redis: Redis;
  readonly recordChange: RecordChange;
}

export async function revokeKey(
  tenant: Owner,
  { hash, user }: { readonly hash: KeyHash; readonly user: UserId },
  { store, redis, recordChange }: RevokePorts,
): Promise<void> {
  await store.revokeKey(hash, tenant.id);
  await publishTenantChange(redis, tenant.id);
  const subject = `${keyId(hash)} of ${user}`;
  recordChange(tenant, { action: 'keys/revoke', subject, decision: 'allowed' });
}

/** Resolves with the number of keys that stood for the user; undefined if there is no such user. */
export async function removeUser(
  tenant: Owner,
  user: UserId,
  { store, redis, recordChange }: RevokePorts,
): Promise<number | undefined> {
  if (!(await store.readUser(tenant.id, user))) return undefined;
  await store.deleteUser(tenant.id, user);
  const keys = (await store.listKeys(tenant.id)).filter(({ key }) => key.user === user);
  for (const { hash } of keys) await store.revokeKey(hash, tenant.id);
  await publishTenantChange(redis, tenant.id);
  recordChange(tenant, { action: 'users/remove', subject: user, decision: 'allowed' });
  return keys.length;
}
