/** Connects to the cluster that a command is about, and to its audit. */
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import type { Redis } from 'ioredis';
import { SetupError } from '../../deploy/local/setup-error.ts';
import { createAdminAccounts, type AdminAccounts } from '../../shared/admin/accounts.ts';
import { createAuditLog, type AuditLog } from '../../shared/audit/audit-log.ts';
import { createAudit } from '../../shared/audit/audit.ts';
import { recordsOf, type RecordChange } from '../../shared/audit/operator-change.ts';
import { clusterSettings } from '../../shared/config/cluster.ts';
import { readConfig } from '../../shared/config/setting.ts';
import type { TenantId } from '../../shared/ids.ts';
import { connectRedis } from '../../shared/queue/redis.ts';
import { createLog } from '../../shared/telemetry/log.ts';
import { createAnnouncer } from '../../shared/tenants/announce-tenant.ts';
import type { ApplyPorts } from '../../shared/tenants/apply-tenants.ts';
import type { Held } from '../../shared/tenants/forecast/forecast.ts';
import { createTenantStore } from '../../shared/tenants/tenant-store.ts';
import { readUsage } from '../../shared/usage/usage-item.ts';
import { locateAws, locateRedis } from './locate.ts';
import type { CliPorts } from './ports.ts';

export interface Connection extends ApplyPorts {
  readonly redis: Redis;
  readonly auditLog: AuditLog;
  readonly admins: AdminAccounts;
  /** What a tenant stores, as its books say. */
  readonly readHeld: (tenant: TenantId) => Promise<Held>;
  /** Puts an operator's decision into the tenant's audit. */
  readonly recordChange: RecordChange;
}

const connectTimeoutMs = 3_000;
const auditActions = {
  created: 'tenants/create',
  updated: 'tenants/update',
  deleted: 'tenants/delete',
} as const;

/** Connects, does the work, and leaves no connection behind. */
export async function withCluster<Result>(
  ports: CliPorts,
  dataDir: string,
  work: (connection: Connection) => Promise<Result>,
): Promise<Result> {
  const settings = readConfig(clusterSettings, ports.environment);
  const redisUrl = await locateRedis(ports, dataDir, settings.redisUrl);
  const dynamo = new DynamoDBClient(await locateAws(ports, dataDir, settings.region));
  const redis = connectRedis(redisUrl, 'commands', createLog('cli', 'silent'));
  const auditLog = createAuditLog({ dynamo, table: settings.auditTable });
  const audit = createAudit(
    {
      name: `cli-${randomBytes(6).toString('base64url')}`,
      shards: settings.shards,
      retentionDays: settings.auditDays,
    },
    // What cannot be chained now waits in Redis for an ingress.
    { redis, log: auditLog, onProblem: () => undefined },
  );
  const recordChange = recordsOf(audit, { user: 'operator', credential: 'operator' });
  try {
    const signal = AbortSignal.timeout(connectTimeoutMs);
    await once(redis, 'ready', { signal }).catch((cause: unknown) => {
      throw new SetupError('Redis does not answer. Is the cluster running?', { cause });
    });
    return await work({
      redis,
      store: createTenantStore({ dynamo, table: settings.tenantsTable }),
      admins: createAdminAccounts({ dynamo, table: settings.tenantsTable }),
      announce: createAnnouncer(redis),
      shards: settings.shards,
      onApplied: (tenant, change, subject) =>
        recordChange(tenant, { action: auditActions[change], subject, decision: 'allowed' }),
      auditLog,
      recordChange,
      readHeld: async (tenant) => {
        const books = { dynamodb: dynamo, table: settings.kvTable, tenant };
        const kv = await readUsage({ ...books, kind: 'kv' });
        const artifacts = await readUsage({ ...books, kind: 'artifacts' });
        return { kvBytes: kv.bytes, artifacts: artifacts.objects, artifactBytes: artifacts.bytes };
      },
    });
  } finally {
    await audit.close();
    redis.disconnect();
    dynamo.destroy();
  }
}
