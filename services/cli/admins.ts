/** `mesh admins`: who may use the console. A token is shown once, when it is made. */
import type { Command } from 'commander';
import { SetupError } from '../../deploy/local/setup-error.ts';
import { AdminRole, hashAdminToken, newAdminToken } from '../../shared/admin/accounts.ts';
import { createVisits } from '../../shared/admin/visits.ts';
import { UserId } from '../../shared/ids.ts';
import { withCluster } from './connect.ts';
import { dataOption, type DataOptions } from './data-option.ts';
import { parsedBy } from './options.ts';
import type { CliPorts } from './ports.ts';
import { render } from './table.ts';

interface AddOptions extends DataOptions {
  readonly role: AdminRole;
}

const nameArgument = ['<name>', 'its name, as the audit shows it', parsedBy(UserId)] as const;

export function addAdminCommands(program: Command, ports: CliPorts): void {
  const admins = program
    .command('admins')
    .description('Lets people use the console: operators change things, viewers look');

  admins
    .command('add')
    .description('make an account, and print its token alone, this once')
    .argument(...nameArgument)
    .requiredOption('--role <role>', AdminRole.options.join(' or '), parsedBy(AdminRole))
    .addOption(dataOption())
    .action((name: UserId, options: AddOptions) => add(name, options, ports));

  admins
    .command('list')
    .description('all accounts')
    .option('--json', 'print JSON')
    .addOption(dataOption())
    .action((options: DataOptions) => list(options, ports));

  admins
    .command('remove')
    .description('take an account away; whoever is signed in with it is signed out at once')
    .argument(...nameArgument)
    .addOption(dataOption())
    .action((name: UserId, options: DataOptions) => remove(name, options, ports));
}

async function add(name: UserId, { role, data }: AddOptions, ports: CliPorts): Promise<void> {
  const token = newAdminToken();
  const account = { name, role, tokenHash: hashAdminToken(token), createdAt: Date.now() };
  const added = await withCluster(ports, data, ({ admins }) => admins.add(account));
  if (!added) throw new SetupError(`There is an admin ${name} already.`);
  ports.print(token);
}

async function list(options: DataOptions, ports: CliPorts): Promise<void> {
  const found = await withCluster(ports, options.data, ({ admins }) => admins.list());
  const rows = found.map(({ name, role, createdAt }) => ({
    name,
    role,
    created: new Date(createdAt).toISOString(),
  }));
  ports.print(render(rows, options, 'No admins.'));
}

async function remove(name: UserId, { data }: DataOptions, ports: CliPorts): Promise<void> {
  const wasThere = await withCluster(ports, data, async ({ admins, redis }) => {
    const known = (await admins.list()).some((account) => account.name === name);
    await admins.remove(name);
    // Also without an account: an earlier try may have come only half the way.
    await createVisits(redis).endAll(name);
    return known;
  });
  if (!wasThere) throw new SetupError(`There is no admin ${name}.`);
  ports.print(`Removed ${name}.`);
}
