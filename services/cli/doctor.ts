/**
 * `mesh doctor`: looks at what a running cluster stands on, as its processes would, and says how to mend
 * what is wrong. Changes nothing.
 */
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { STSClient } from '@aws-sdk/client-sts';
import { Option, type Command } from 'commander';
import type { Redis } from 'ioredis';
import type { AwsAccess } from '../../deploy/local/aws-access.ts';
import { localTenantRole } from '../../deploy/local/backends.ts';
import { SetupError } from '../../deploy/local/setup-error.ts';
import { tenantCredentials } from '../../shared/aws/credentials.ts';
import { clusterSettings } from '../../shared/config/cluster.ts';
import { ingressSettings } from '../../shared/config/ingress.ts';
import { readConfig, type Config } from '../../shared/config/setting.ts';
import { TenantId } from '../../shared/ids.ts';
import { connectRedis } from '../../shared/queue/redis.ts';
import { createLog } from '../../shared/telemetry/log.ts';
import { dataOption, type DataOptions } from './data-option.ts';
import { ingressChecks, workerChecks } from './doctor/aws-checks.ts';
import { warning, type Check } from './doctor/check.ts';
import { clockChecks } from './doctor/clock-checks.ts';
import { examine, summary } from './doctor/examine.ts';
import { redisChecks } from './doctor/redis-checks.ts';
import { doctorTenant, tenantChecks } from './doctor/tenant-checks.ts';
import { locateAws, locateRedis } from './locate.ts';
import type { CliPorts } from './ports.ts';

const kinds = ['ingress', 'worker'] as const;
type Kind = (typeof kinds)[number];

interface DoctorOptions extends DataOptions {
  readonly as?: Kind;
}

const settings = { ...clusterSettings, signingSecret: ingressSettings.signingSecret };
const connectTimeoutMs = 5_000;

export function addDoctorCommand(program: Command, ports: CliPorts): void {
  program
    .command('doctor')
    .description('check Redis, AWS permissions and clocks; exit code 1 if something is wrong')
    .addOption(
      new Option('--as <kind>', 'whose AWS permissions are at hand; both if left out').choices(
        kinds,
      ),
    )
    .addOption(dataOption())
    .action((options: DoctorOptions) => examineCluster(options, ports));
}

async function examineCluster({ as, data }: DoctorOptions, ports: CliPorts): Promise<void> {
  const config = readConfig(settings, ports.environment);
  const access = await locateAws(ports, data, config.region);
  const url = await locateRedis(ports, data, config.redisUrl);
  const redis = connectRedis(url, 'commands', createLog('doctor', 'silent'));
  try {
    await untilReady(redis);
    const tenantRole = config.tenantRole ?? (access.endpoint && localTenantRole);
    const checks = allChecks({ ...config, tenantRole }, { redis, access }, as);
    const counts = await examine(checks, ports.print);
    if (counts.failed > 0) throw new SetupError(`doctor: ${summary(counts)}`);
    ports.print(`doctor: ${summary(counts)}`);
  } finally {
    redis.disconnect();
  }
}

async function untilReady(redis: Redis): Promise<void> {
  const ready = new Promise<void>((resolve) => {
    redis.once('ready', resolve);
  });
  const late = AbortSignal.timeout(connectTimeoutMs);
  const tooLate = new Promise<never>((_, reject) => {
    late.addEventListener('abort', () =>
      reject(new SetupError('doctor: Redis does not answer. Check REDIS_URL; is it running?')),
    );
  });
  await Promise.race([ready, tooLate]);
}

export interface Examined {
  readonly redis: Redis;
  readonly access: AwsAccess;
}

/** `as`: only what that kind of process may do. */
export function allChecks(
  config: Config<typeof settings>,
  { redis, access }: Examined,
  as?: Kind,
): readonly Check[] {
  const { tenantRole, tenantsTable } = config;
  const aws = {
    ...config,
    dynamo: new DynamoDBClient({ ...access, maxAttempts: 2 }),
    secrets: new SecretsManagerClient({ ...access, maxAttempts: 2 }),
  };
  const asTenant = (role: string): readonly Check[] => {
    const sts = new STSClient({ ...access, maxAttempts: 2 });
    const credentials = tenantCredentials(TenantId.parse(doctorTenant), { sts, role });
    return tenantChecks({ ...config, access, role, credentials });
  };
  return [
    ...redisChecks(redis),
    ...clockChecks({ redis, access, table: tenantsTable }),
    ...(as === 'worker' ? [] : ingressChecks(aws)),
    ...(as === 'ingress' ? [] : workerChecks(aws)),
    ...(as === 'ingress' ? [] : tenantRole === undefined ? [noRole] : asTenant(tenantRole)),
  ];
}

const noRole: Check = {
  name: "Tenants' role",
  run: async () =>
    warning(
      'none: nothing but the code keeps tenants apart',
      'Set AGENT_MESH_TENANT_ROLE to a role with deploy/aws/tenant-policy.json.',
    ),
};
