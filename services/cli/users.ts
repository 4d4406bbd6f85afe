/** `mesh users`: who may act for a tenant. They are declared with it, in a tenants file. */
import type { Command } from 'commander';
import { SetupError } from '../../deploy/local/setup-error.ts';
import { TenantId, UserId } from '../../shared/ids.ts';
import { removeUser } from '../../shared/tenants/revoke.ts';
import { withCluster } from './connect.ts';
import { dataOption, type DataOptions } from './data-option.ts';
import { parsedBy } from './options.ts';
import type { CliPorts } from './ports.ts';
import { readTenant } from './read-tenant.ts';
import { render } from './table.ts';

interface UserOptions extends DataOptions {
  readonly tenant: TenantId;
}

export function addUserCommands(program: Command, ports: CliPorts): void {
  const users = program
    .command('users')
    .description('Lists and removes users of a tenant; `tenants apply` adds and changes them');

  users
    .command('list')
    .description("a tenant's users")
    .requiredOption('--tenant <id>', 'the tenant', parsedBy(TenantId))
    .option('--json', 'print JSON')
    .addOption(dataOption())
    .action((options: UserOptions) => list(options, ports));

  users
    .command('remove')
    .description('refuse a user from now on, and revoke the keys that stand for it')
    .argument('<user>', 'the user', parsedBy(UserId))
    .requiredOption('--tenant <id>', 'the tenant', parsedBy(TenantId))
    .addOption(dataOption())
    .action((user: UserId, options: UserOptions) => remove(user, options, ports));
}

async function list(options: UserOptions, ports: CliPorts): Promise<void> {
  const users = await withCluster(ports, options.data, async (connection) => {
    const { id } = await readTenant(connection, options.tenant);
    return connection.store.listUsers(id);
  });
  const rows = users.map(({ id, role, permissions }) => ({
    user: id,
    role,
    permissions: permissions.join(' '),
  }));
  ports.print(render(rows, options, `Tenant ${options.tenant} has no users.`));
}

async function remove(user: UserId, options: UserOptions, ports: CliPorts): Promise<void> {
  const revoked = await withCluster(ports, options.data, async (connection) => {
    const tenant = await readTenant(connection, options.tenant);
    const keys = await removeUser(tenant, user, connection);
    if (keys === undefined) throw new SetupError(`Tenant ${tenant.id} has no user ${user}.`);
    return keys;
  });
  ports.print(`Removed ${user} and ${revoked} ${revoked === 1 ? 'key' : 'keys'}.`);
}
