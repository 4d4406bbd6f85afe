/** `mesh tenants`: what tenants there are, and what a file makes of them. */
import type { Command } from 'commander';
import { readTenantsFile } from '../../deploy/local/read-tenants-file.ts';
import { SetupError } from '../../deploy/local/setup-error.ts';
import { TenantId } from '../../shared/ids.ts';
import { applyTenants } from '../../shared/tenants/apply-tenants.ts';
import { withCluster } from './connect.ts';
import { dataOption, type DataOptions } from './data-option.ts';
import { parsedBy } from './options.ts';
import type { CliPorts } from './ports.ts';
import { addTenantChangeCommands } from './tenant-changes.ts';
import { render, toTable } from './table.ts';
import { addPlanCommand } from './tenants-plan.ts';
import { addUndoCommands } from './tenants-undo.ts';
import { addUsageCommand } from './usage.ts';

export function addTenantCommands(program: Command, ports: CliPorts): void {
  const tenants = program
    .command('tenants')
    .description('Lists, shows, declares and changes tenants');

  tenants
    .command('list')
    .description('all tenants')
    .option('--json', 'print JSON')
    .addOption(dataOption())
    .action((options: DataOptions) => list(options, ports));

  tenants
    .command('show')
    .description('one tenant with its limits and users')
    .argument('<id>', 'the tenant', parsedBy(TenantId))
    .option('--json', 'print JSON')
    .addOption(dataOption())
    .action((id: TenantId, options: DataOptions) => show(id, options, ports));

  tenants
    .command('apply')
    .description(
      'create and change tenants as a YAML file declares them, all or none. What it leaves out of a tenant takes its default; tenants and users that it does not name stay',
    )
    .argument('<file>', 'the file')
    .option('--json', 'print JSON')
    .addOption(dataOption())
    .action((file: string, options: DataOptions) => apply(file, options, ports));

  addPlanCommand(tenants, ports);
  addUndoCommands(tenants, ports);
  addTenantChangeCommands(tenants, ports);
  addUsageCommand(tenants, ports);
}

async function list(options: DataOptions, ports: CliPorts): Promise<void> {
  const tenants = await withCluster(ports, options.data, ({ store }) => store.listTenants());
  const rows = tenants.map(({ id, name, status, weight, limits, shard, version }) => ({
    id,
    name,
    status,
    concurrency: limits.concurrency,
    weight,
    shard,
    version,
  }));
  ports.print(render(rows, options, 'No tenants.'));
}

async function show(id: TenantId, options: DataOptions, ports: CliPorts): Promise<void> {
  const [tenant, users] = await withCluster(ports, options.data, ({ store }) =>
    Promise.all([store.readTenant(id), store.listUsers(id)]),
  );
  if (!tenant) throw new SetupError(`There is no tenant ${id}.`);
  if (options.json) {
    ports.print(JSON.stringify({ ...tenant, users }, undefined, 2));
    return;
  }
  ports.print(toTable(toFields(tenant)));
  const rows = users.map(({ id, role, permissions }) => ({
    user: id,
    role,
    permissions: permissions.join(' '),
  }));
  ports.print(`\n${render(rows, {}, 'No users.')}`);
}

/** One row for each value, however deep: `limits.concurrency`. */
function toFields(record: object, path = ''): { field: string; value: string }[] {
  return Object.entries(record).flatMap(([name, value]: [string, unknown]) =>
    typeof value === 'object' && value !== null
      ? toFields(value, `${path}${name}.`)
      : [{ field: path + name, value: String(value) }],
  );
}

async function apply(file: string, options: DataOptions, ports: CliPorts): Promise<void> {
  const declared = await readTenantsFile(file);
  const applied = await withCluster(ports, options.data, (connection) =>
    applyTenants(declared, connection),
  );
  const rows = applied.map(({ id, change, version, users }) => ({ id, change, version, users }));
  ports.print(render(rows, options, 'The file declares no tenants.'));
  const undo = applied.find(({ changeSet }) => changeSet !== undefined)?.changeSet;
  if (ports.isTerminal && undo !== undefined && !options.json) {
    ports.print(`\nmesh tenants undo ${undo} takes it back.`);
  }
}
