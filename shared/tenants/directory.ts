/**
 * Who stands behind an API key, and who a user of a tenant is: the store's records, cached for
 * seconds and dropped at once when a change is announced. Decides nothing: a suspended tenant is
 * found like any other.
 */
import { isExpired, KeyHash, type KeyRecord } from './api-keys.ts';
import { Fault } from '../faults.ts';
import { TenantId, UserId } from '../ids.ts';
import { createReadThrough, type ReadThrough } from './read-through.ts';
import { everyTenant, type TenantChange } from './tenant-changes.ts';
import type { TenantStore } from './tenant-store.ts';
import type { Principal, Tenant, User } from './tenant.ts';

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

const limits = {
  capacity: 10_000,
  ttlMs: 4_000,
  absentTtlMs: 1_000,
  staleMs: 30_000,
  timeoutMs: 2_000,
  retryMs: 1_000,
};

export function createTenantDirectory(ports: {
  readonly store: Pick<TenantStore, 'readTenant' | 'readUser' | 'readKey'>;
  /** Calls back for each announced change, until the process ends. */
  readonly subscribe?: (onChange: (change: TenantChange) => void) => void;
  /** Monotonic milliseconds. */
  readonly now?: () => number;
}): TenantDirectory {
  const { store } = ports;
  const now = ports.now ?? (() => performance.now());
  const shared = { ...limits, now };

  const keys = createReadThrough<KeyRecord>({
    ...shared,
    read: (hash, signal) => store.readKey(KeyHash.parse(hash), signal),
  });
  const tenants = createReadThrough<Tenant>({
    ...shared,
    read: (id, signal) => store.readTenant(TenantId.parse(id), signal),
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
      ask(tenants, tenantId),
      ask(users, toPath(tenantId, userId)),
    ]);
    return tenant && found && { tenant, user: found.user };
  }

  const directory: TenantDirectory = {
    find,

    async findKey(hash) {
      const key = await ask(keys, hash);
      return key && !isExpired(key, Date.now()) ? find(key.tenant, key.user) : undefined;
    },

    invalidate(change) {
      const concerns = (tenant: string): boolean => change === everyTenant || change === tenant;
      keys.forget((_, key) => concerns(key.tenant));
      tenants.forget((id) => concerns(id));
      users.forget((_, { tenant }) => concerns(tenant));
    },
  };
  ports.subscribe?.((change) => directory.invalidate(change));
  return directory;
}

async function ask<Value>(cache: ReadThrough<Value>, key: string): Promise<Value | undefined> {
  try {
    return await cache.get(key);
  } catch (cause) {
    throw new Fault('overloaded', 'Tenant records cannot be read', {
      retryAfterMs: limits.retryMs,
      cause,
    });
  }
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
