/** `mesh keys`: API keys of a tenant's users. A key is shown once, when it is made. */
import type { Command } from 'commander';
import { z } from 'zod';
import { SetupError } from '../../deploy/local/setup-error.ts';
import { TenantId, UserId } from '../../shared/ids.ts';
import { hashApiKey, isExpired, keyId, newApiKey } from '../../shared/tenants/api-keys.ts';
import { revokeKey } from '../../shared/tenants/revoke.ts';
import { publishTenantChange } from '../../shared/tenants/tenant-changes.ts';
import { withCluster } from './connect.ts';
import { dataOption, type DataOptions } from './data-option.ts';
import { duration, parsedBy } from './options.ts';
import type { CliPorts } from './ports.ts';
import { readTenant } from './read-tenant.ts';
import { render } from './table.ts';

const KeyId = z.string().regex(/^[0-9a-f]{12,64}$/, 'must be 12 hex digits, as listed');

interface CreateOptions extends DataOptions {
  readonly tenant: TenantId;
  readonly user: UserId;
  readonly expires?: number;
}

interface ListOptions extends DataOptions {
  readonly tenant: TenantId;
}

export function addKeyCommands(program: Command, ports: CliPorts): void {
  const keys = program.command('keys').description('Creates, lists and revokes API keys');

  keys
    .command('create')
    .description('make a key that works at once, and print it alone, this once')
    .requiredOption('--tenant <id>', 'the tenant', parsedBy(TenantId))
    .requiredOption('--user <id>', 'the user it stands for', parsedBy(UserId))
    .option('--expires <duration>', 'how long it holds: 90m, 12h, 30d', duration)
    .addOption(dataOption())
    .action((options: CreateOptions) => create(options, ports));

  keys
    .command('list')
    .description("a tenant's keys, by id; the keys themselves are stored nowhere")
    .requiredOption('--tenant <id>', 'the tenant', parsedBy(TenantId))
    .option('--json', 'print JSON')
    .addOption(dataOption())
    .action((options: ListOptions) => list(options, ports));

  keys
    .command('revoke')
    .description('make a key worthless at once')
    .argument('<key id>', 'its id, as listed', parsedBy(KeyId))
    .addOption(dataOption())
    .action((id: string, options: DataOptions) => revoke(id, options, ports));
}

async function create(options: CreateOptions, ports: CliPorts): Promise<void> {
  const { tenant, user, expires } = options;
  const key = newApiKey();
  await withCluster(ports, options.data, async (connection) => {
    const { store, redis, recordChange } = connection;
    const record = await readTenant(connection, tenant);
    if (!(await store.readUser(tenant, user))) {
      throw new SetupError(`Tenant ${tenant} has no user ${user}.`);
    }
    const createdAt = Date.now();
    const hash = hashApiKey(key);
    await store.writeKey(hash, {
      tenant,
      user,
      createdAt,
      ...(expires === undefined ? {} : { expiresAt: createdAt + expires }),
    });
    await publishTenantChange(redis, tenant);
    const subject = `${keyId(hash)} for ${user}`;
    recordChange(record, { action: 'keys/create', subject, decision: 'allowed' });
  });
  ports.print(key);
}

async function list(options: ListOptions, ports: CliPorts): Promise<void> {
  const keys = await withCluster(ports, options.data, async (connection) => {
    const { id } = await readTenant(connection, options.tenant);
    return connection.store.listKeys(id);
  });
  const rows = keys.map(({ hash, key }) => ({
    id: keyId(hash),
    user: key.user,
    created: toDate(key.createdAt),
    expires: key.expiresAt === undefined ? 'never' : toDate(key.expiresAt),
    state: isExpired(key, Date.now()) ? 'expired' : 'valid',
  }));
  ports.print(render(rows, options, `Tenant ${options.tenant} has no keys.`));
}

async function revoke(id: string, options: DataOptions, ports: CliPorts): Promise<void> {
  await withCluster(ports, options.data, async (connection) => {
    const { store, redis } = connection;
    const found = await store.findKeys(id);
    const [stored] = found;
    if (!stored) throw new SetupError(`There is no key ${id}.`);
    if (found.length > 1) throw new SetupError(`More than one key starts with ${id}.`);
    const { hash, key } = stored;
    const tenant = await store.readTenant(key.tenant);
    if (tenant) return revokeKey(tenant, { hash, user: key.user }, connection);
    await store.revokeKey(hash, key.tenant);
    await publishTenantChange(redis, key.tenant);
  });
  ports.print(`Revoked ${id}.`);
}

function toDate(epochMs: number): string {
  return new Date(epochMs).toISOString();
}
