/**
 * Acting for any tenant of the local cluster, with the credentials that its data folder keeps for
 * its owner: a key is made for each caller, for this process alone, and taken back at its end.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { Redis } from 'ioredis';
import { parseCredentialsFile, type AwsAccess } from '../../../deploy/local/aws-access.ts';
import type { UpFile } from '../../../deploy/local/up-file.ts';
import { clusterSettings } from '../../../shared/config/cluster.ts';
import { readConfig } from '../../../shared/config/setting.ts';
import { readStdioSetting } from '../../../shared/config/stdio.ts';
import { TenantId, UserId } from '../../../shared/ids.ts';
import { createAnnouncer } from '../../../shared/tenants/announce-tenant.ts';
import { hashApiKey, newApiKey } from '../../../shared/tenants/api-keys.ts';
import { applyTenants, type ApplyPorts } from '../../../shared/tenants/apply-tenants.ts';
import { publishTenantChange } from '../../../shared/tenants/tenant-changes.ts';
import { createTenantStore } from '../../../shared/tenants/tenant-store.ts';
import { Tenant, User } from '../../../shared/tenants/tenant.ts';
import type { LocalCluster } from '../local/local-cluster.ts';
import { Unreachable } from '../post.ts';
import { OriginalError, tenantNotFound, tenantUnauthorized } from './original-error.ts';
import type { Caller, Principals } from './principals.ts';

export interface LocalPrincipalsPorts {
  readonly local: LocalCluster;
  readonly environment: Readonly<Record<string, string | undefined>>;
}

interface MintedKey {
  readonly key: string;
  readonly tenant: TenantId;
  /** Epoch milliseconds. */
  readonly expiresAt: number;
}

interface Connection extends ApplyPorts {
  readonly redis: Redis;
}

/** A process that is killed takes nothing back: its keys end by themselves. */
const keyLifeMs = 3_600_000;
const renewBeforeMs = 300_000;

export function createLocalPrincipals({ local, environment }: LocalPrincipalsPorts): Principals {
  const minted = new Map<string, MintedKey>();
  // As the original has it: whoever names a default tenant gets the tenants that they name.
  const registers = readStdioSetting('defaultTenant', environment) !== undefined;

  async function keyFor(caller: Caller): Promise<string> {
    const known = minted.get(JSON.stringify([caller.tenant, caller.user]));
    if (known && known.expiresAt - renewBeforeMs > Date.now()) return known.key;
    const key = await withStore(await local.up(), local.dataDir, (connection) =>
      mint(caller, connection, registers),
    );
    minted.set(JSON.stringify([caller.tenant, caller.user]), key);
    return key.key;
  }

  return {
    own: async () => undefined,

    async endpointFor(caller) {
      const up = await local.up();
      const isDemo = caller.tenant === up.tenant && caller.user === up.user;
      try {
        return { url: new URL(up.mcp), token: isDemo ? up.apiKey : await keyFor(caller) };
      } catch (thrown) {
        if (thrown instanceof OriginalError) throw thrown;
        throw new Unreachable('The local cluster does not answer', { cause: thrown });
      }
    },

    async close() {
      const keys = [...minted.values()];
      if (keys.length === 0) return;
      await withStore(await local.up(), local.dataDir, async ({ store, redis }) => {
        for (const { key, tenant } of keys) {
          await store.revokeKey(hashApiKey(key), tenant);
          await publishTenantChange(redis, tenant);
        }
      });
    },
  };
}

/** @throws {OriginalError} */
async function mint(
  caller: Caller,
  connection: Connection,
  registers: boolean,
): Promise<MintedKey> {
  const { store, redis } = connection;
  const tenant = TenantId.safeParse(caller.tenant).data;
  const user = UserId.safeParse(caller.user).data;
  if (tenant === undefined) throw tenantNotFound(caller.tenant);
  if (user === undefined) throw tenantUnauthorized(caller.tenant);
  let record = await store.readTenant(tenant);
  if (!record && registers) {
    await applyTenants([toDeclared(tenant, user)], connection);
    record = await store.readTenant(tenant);
  }
  if (!record) throw tenantNotFound(tenant);
  if (!(await store.readUser(tenant, user))) throw tenantUnauthorized(tenant);
  const key = newApiKey();
  const createdAt = Date.now();
  const expiresAt = createdAt + keyLifeMs;
  await store.writeKey(hashApiKey(key), { tenant, user, createdAt, expiresAt });
  await publishTenantChange(redis, tenant);
  return { key, tenant, expiresAt };
}

function toDeclared(tenant: TenantId, user: UserId): Parameters<typeof applyTenants>[0][number] {
  return {
    ...Tenant.omit({ shard: true, version: true }).parse({ id: tenant, name: tenant }),
    users: [User.parse({ id: user, role: 'Admin' })],
  };
}

async function withStore<Result>(
  up: UpFile,
  dataDir: string,
  work: (connection: Connection) => Promise<Result>,
): Promise<Result> {
  const settings = readConfig(clusterSettings, {});
  const dynamo = new DynamoDBClient(await awsOf(up, dataDir, settings.region));
  const redis = new Redis(up.redis, { maxRetriesPerRequest: 1, retryStrategy: () => null });
  redis.on('error', () => undefined);
  try {
    return await work({
      redis,
      store: createTenantStore({ dynamo, table: settings.tenantsTable }),
      announce: createAnnouncer(redis),
      shards: settings.shards,
    });
  } finally {
    redis.disconnect();
    dynamo.destroy();
  }
}

async function awsOf({ aws }: UpFile, dataDir: string, region: string): Promise<AwsAccess> {
  if (aws === undefined) return { region };
  const text = await readFile(join(dataDir, 'aws-credentials'), 'utf8');
  return { region, endpoint: aws, credentials: parseCredentialsFile(text) };
}
