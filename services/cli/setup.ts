/**
 * `mesh setup`: makes what a cluster stands on before its first start, in the Redis and AWS that
 * the environment names: tables, bucket, event bus, and on request the demo tenant. What exists
 * stays as it is. A local cluster (`mesh up`) sets itself up.
 */
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import type { Command } from 'commander';
import { Redis } from 'ioredis';
import { openDataFolder } from '../../deploy/local/data-folder.ts';
import { ensureDemo } from '../../deploy/local/demo.ts';
import { provision } from '../../deploy/local/provision.ts';
import { SetupError } from '../../deploy/local/setup-error.ts';
import { clusterSettings } from '../../shared/config/cluster.ts';
import { readConfig, type Config } from '../../shared/config/setting.ts';
import { createAnnouncer } from '../../shared/tenants/announce-tenant.ts';
import { createTenantStore } from '../../shared/tenants/tenant-store.ts';
import { dataOption, type DataOptions } from './data-option.ts';
import type { CliPorts } from './ports.ts';

interface SetupOptions extends DataOptions {
  readonly demo?: boolean;
}

export function addSetupCommand(program: Command, ports: CliPorts): void {
  program
    .command('setup')
    .description('make the tables, bucket and event bus that the environment names')
    .option('--demo', 'also the demo tenant; prints its key alone, the same one each time')
    .addOption(dataOption())
    .action((options: SetupOptions) => setUp(options, ports));
}

async function setUp(options: SetupOptions, { environment, print }: CliPorts): Promise<void> {
  // Without it the AWS account of whoever tries this out would be filled by mistake.
  if (!environment['REDIS_URL']) {
    throw new SetupError('Set REDIS_URL and the AWS variables. `mesh up` needs no setup.');
  }
  const settings = readConfig(clusterSettings, environment);
  // Path style: a private endpoint has one host name, not one for each bucket.
  const access = { region: settings.region, forcePathStyle: true };
  await provision(access, settings);
  if (options.demo) print(await makeDemo(options.data, settings));
}

/** Resolves with its key, which is kept in the data folder. */
async function makeDemo(dataDir: string, settings: Config<typeof clusterSettings>) {
  const { redisUrl, region, tenantsTable, shards } = settings;
  const dynamo = new DynamoDBClient({ region });
  const redis = new Redis(redisUrl, { lazyConnect: true, retryStrategy: () => null });
  redis.on('error', () => undefined);
  const folder = await openDataFolder(dataDir);
  try {
    await redis.connect().catch((cause: unknown) => {
      throw new SetupError('Redis does not answer.', { cause });
    });
    const { apiKey } = await ensureDemo(folder, {
      store: createTenantStore({ dynamo, table: tenantsTable }),
      announce: createAnnouncer(redis),
      shards,
    });
    return apiKey;
  } finally {
    await folder.release();
    redis.disconnect();
    dynamo.destroy();
  }
}
