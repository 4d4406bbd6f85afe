/** `mesh tenants usage`: what a tenant holds against its limits, recounted and mended if asked. */
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { S3Client } from '@aws-sdk/client-s3';
import type { Command } from 'commander';
import { SetupError } from '../../deploy/local/setup-error.ts';
import { clusterSettings } from '../../shared/config/cluster.ts';
import { readConfig } from '../../shared/config/setting.ts';
import { TenantId } from '../../shared/ids.ts';
import { createTenantStore } from '../../shared/tenants/tenant-store.ts';
import { readUsage } from '../../shared/usage/usage-item.ts';
import { recount, type Recount } from '../../shared/usage/recount.ts';
import { dataOption, type DataOptions } from './data-option.ts';
import { locateAws } from './locate.ts';
import { parsedBy } from './options.ts';
import type { CliPorts } from './ports.ts';
import { render } from './table.ts';

interface UsageOptions extends DataOptions {
  readonly tenant: TenantId;
  readonly verify?: boolean;
  readonly repair?: boolean;
}

export function addUsageCommand(tenants: Command, ports: CliPorts): void {
  tenants
    .command('usage')
    .description('what a tenant holds in the key-value store and in artifacts, and its limits')
    .requiredOption('--tenant <id>', 'the tenant', parsedBy(TenantId))
    .option('--verify', 'recount what is stored and compare; exit code 1 if they differ')
    .option('--repair', 'recount, and set the books right where they differ')
    .option('--json', 'print JSON')
    .addOption(dataOption())
    .action((options: UsageOptions) => showUsage(options, ports));
}

async function showUsage(options: UsageOptions, ports: CliPorts): Promise<void> {
  const settings = readConfig(clusterSettings, ports.environment);
  const aws = await locateAws(ports, options.data, settings.region);
  const dynamodb = new DynamoDBClient(aws);
  const s3 = new S3Client({ ...aws, forcePathStyle: true });
  try {
    const store = createTenantStore({ dynamo: dynamodb, table: settings.tenantsTable });
    const tenant = await store.readTenant(options.tenant);
    if (!tenant) throw new SetupError(`There is no tenant ${options.tenant}.`);
    const { kvTable, artifactsBucket } = settings;
    if (options.verify || options.repair) {
      const counts = await recount(
        tenant.id,
        { dynamodb, s3, kvTable, artifactsBucket },
        { repair: options.repair === true },
      );
      ports.print(render(counts.flatMap(toRows), options, ''));
      const differing = counts.filter(isDiffering);
      if (differing.length > 0) throw new SetupError(explain(differing));
      return;
    }
    const read = (kind: 'kv' | 'artifacts') =>
      readUsage({ dynamodb, table: kvTable, tenant: tenant.id, kind });
    const [kv, artifacts] = await Promise.all([read('kv'), read('artifacts')]);
    const { limits } = tenant;
    const rows = [
      { what: 'KV bytes', used: kv.bytes, limit: limits.kvBytes },
      { what: 'artifacts', used: artifacts.objects, limit: limits.artifacts },
      { what: 'artifact bytes', used: artifacts.bytes, limit: limits.artifactBytes },
    ];
    ports.print(render(rows, options, ''));
  } finally {
    dynamodb.destroy();
    s3.destroy();
  }
}

function toRows({ kind, recorded, counted, underWay, repaired }: Recount) {
  const row = (what: string, by: 'bytes' | 'objects') => ({
    what,
    recorded: recorded[by],
    counted: counted[by],
    'under way': underWay,
    repaired: repaired ? 'yes' : 'no',
  });
  return kind === 'kv'
    ? [row('KV bytes', 'bytes')]
    : [row('artifacts', 'objects'), row('artifact bytes', 'bytes')];
}

function isDiffering({ recorded, counted, repaired }: Recount): boolean {
  const same = recorded.bytes === counted.bytes && recorded.objects === counted.objects;
  return !same && !repaired;
}

function explain(differing: readonly Recount[]): string {
  return differing.some(({ underWay }) => underWay > 0)
    ? 'The books differ while calls or uploads are under way. Try again when they have ended.'
    : 'The books differ from what is stored. --repair sets them right.';
}
