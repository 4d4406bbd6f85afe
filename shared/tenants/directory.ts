/**
 * Who stands behind an API key, and who a user of a tenant is: the store's records, cached for
 * seconds and dropped at once when a change is announced. Decides nothing: a suspended tenant is
 * found like any other.
 */
import { isExpired, KeyHash, type KeyRecord } from './api-keys.ts';
import { TenantId, UserId } from '../ids.ts';
import { readRecord, recordCaching, type CachePorts } from './known-records.ts';
import { createKnownTenants, type KnownTenants } from './known-tenants.ts';
import { createReadThrough } from './read-through.ts';
import { everyTenant, type TenantChange } from './tenant-changes.ts';
import type { TenantStore } from './tenant-store.ts';
import type { Principal, User } from './tenant.ts';

export interface TenantDirectory {
  /**
   * The key's user, or undefined if the key is unknown, revoked or expired.
   * @throws {Fault} `overloaded` if the store does not answer.
   */
  findKey(hash: KeyHash): Promise<Principal | undefined>;

  /** @throws {Fault} `overloaded` if the store does not answer. */
  find(tenant: TenantId, user: UserId): Promise<Principal | undefined>;

  /** Reads what a change concerns anew from now on. */
  invalidate(change: TenantChange): void;
}

/** `tenants` may be shared with whoever else needs tenants' records. */
export function createTenantDirectory(
  ports: CachePorts & {
    readonly store: Pick<TenantStore, 'readTenant' | 'readUser' | 'readKey'>;
    readonly tenants?: KnownTenants;
  },
): TenantDirectory {
  const { store } = ports;
  const shared = recordCaching(ports);
  const tenants = ports.tenants ?? createKnownTenants(ports);

  const keys = createReadThrough<KeyRecord>({
    ...shared,
    read: (hash, signal) => store.readKey(KeyHash.parse(hash), signal),
  });
  const users = createReadThrough<{ readonly tenant: TenantId; readonly user: User }>({
    ...shared,
    async read(path, signal) {
      const { tenant, user } = fromPath(path);
      const found = await store.readUser(tenant, user, signal);
      return found && { tenant, user: found };
    },
  });

  async function find(tenantId: TenantId, userId: UserId): Promise<Principal | undefined> {
    const [tenant, found] = await Promise.all([
      tenants.find(tenantId),
      readRecord(users, toPath(tenantId, userId)),
    ]);
    return tenant && found && { tenant, user: found.user };
  }

  return {
    find,

    async findKey(hash) {
      const key = await readRecord(keys, hash);
      return key && !isExpired(key, Date.now()) ? find(key.tenant, key.user) : undefined;
    },

    invalidate(change) {
      const concerns = (tenant: string): boolean => change === everyTenant || change === tenant;
      keys.forget((_, key) => concerns(key.tenant));
      tenants.invalidate(change);
      users.forget((_, { tenant }) => concerns(tenant));
    },
  };
}

// Neither id may hold a slash.
const toPath = (tenant: TenantId, user: UserId): string => `${tenant}/${user}`;

function fromPath(path: string): { tenant: TenantId; user: UserId } {
  const slash = path.indexOf('/');
  return {
    tenant: TenantId.parse(path.slice(0, slash)),
    user: UserId.parse(path.slice(slash + 1)),
  };
}
