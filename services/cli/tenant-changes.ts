/** `mesh tenants suspend|resume|set|delete`: changes of one tenant, which hold for every start at once. */
import type { Command } from 'commander';
import { SetupError } from '../../deploy/local/setup-error.ts';
import { TenantId } from '../../shared/ids.ts';
import { queueKey } from '../../shared/queue/names.ts';
import { changeFields, setStatus } from '../../shared/tenants/change-tenant.ts';
import { deleteTenant } from '../../shared/tenants/delete-tenant.ts';
import type { Tenant } from '../../shared/tenants/tenant.ts';
import { withCluster, type Connection } from './connect.ts';
import { dataOption, type DataOptions } from './data-option.ts';
import { parsedBy } from './options.ts';
import type { CliPorts } from './ports.ts';
import { readTenant } from './read-tenant.ts';

interface DeleteOptions extends DataOptions {
  readonly force?: boolean;
}

const tenantArgument = ['<id>', 'the tenant', parsedBy(TenantId)] as const;

export function addTenantChangeCommands(tenants: Command, ports: CliPorts): void {
  tenants
    .command('suspend')
    .description('refuse the tenant from now on; calls already accepted still run')
    .argument(...tenantArgument)
    .addOption(dataOption())
    .action((id: TenantId, options: DataOptions) => changeStatus(id, 'suspended', options, ports));

  tenants
    .command('resume')
    .description('accept a suspended tenant again')
    .argument(...tenantArgument)
    .addOption(dataOption())
    .action((id: TenantId, options: DataOptions) => changeStatus(id, 'active', options, ports));

  tenants
    .command('set')
    .description('change single fields, named as `tenants show` names them')
    .argument(...tenantArgument)
    .argument('<field=value...>', 'weight=2 limits.concurrency=5 limits.tools.kv_set=50')
    .addOption(dataOption())
    .action((id: TenantId, fields: readonly string[], options: DataOptions) =>
      set(id, fields, options, ports),
    );

  tenants
    .command('delete')
    .description('take away a tenant, its users and its keys; what it has stored stays')
    .argument(...tenantArgument)
    .option('--force', 'even while calls are outstanding: those that wait never run')
    .addOption(dataOption())
    .action((id: TenantId, options: DeleteOptions) => remove(id, options, ports));
}

async function changeStatus(
  id: TenantId,
  status: Tenant['status'],
  options: DataOptions,
  ports: CliPorts,
): Promise<void> {
  const wasSet = await withCluster(ports, options.data, async (connection) => {
    const tenant = await readTenant(connection, id);
    if (tenant.status === status) return false;
    await setStatus(tenant, status, connection);
    return true;
  });
  ports.print(`Tenant ${id} is ${wasSet ? 'now' : 'already'} ${status}.`);
}

async function set(
  id: TenantId,
  fields: readonly string[],
  options: DataOptions,
  ports: CliPorts,
): Promise<void> {
  const changed = await withCluster(ports, options.data, async (connection) => {
    const tenant = await readTenant(connection, id);
    return changeFields(tenant, fields, connection);
  });
  ports.print(`Tenant ${id} has version ${changed.version} now: ${fields.join(' ')}`);
}

async function remove(id: TenantId, options: DeleteOptions, ports: CliPorts): Promise<void> {
  const { force = false } = options;
  const result = await withCluster(ports, options.data, async (connection) => {
    const tenant = await readTenant(connection, id);
    const countOutstanding = (): Promise<number> => countCalls(connection, tenant);
    const result = await deleteTenant(tenant, { force }, { ...connection, countOutstanding });
    connection.recordChange(
      tenant,
      result.outcome === 'deleted'
        ? { action: 'tenants/delete', decision: 'allowed' }
        : { action: 'tenants/delete', decision: 'refused', rule: 'outstanding_calls' },
    );
    return result;
  });
  if (result.outcome === 'busy') {
    throw new SetupError(
      `Tenant ${id} has ${result.outstanding} outstanding calls and was left as it is. Suspend it and wait, or use --force.`,
    );
  }
  const { users, keys, outstanding } = result;
  ports.print(`Deleted tenant ${id}, ${count(users, 'user')} and ${count(keys, 'key')}.`);
  if (outstanding > 0) {
    ports.print(`Of its ${count(outstanding, 'outstanding call')}, those that wait never run.`);
  }
  ports.print('Its values and artifacts, its credentials and its audit stay.');
}

/** Accepted and not settled. */
export async function countCalls({ redis }: Connection, { id, shard }: Tenant): Promise<number> {
  const lengths = await Promise.all([
    redis.llen(queueKey(shard, id, 'wait')),
    redis.llen(queueKey(shard, id, 'active')),
  ]);
  return lengths.reduce((sum, length) => sum + length, 0);
}

export function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`;
}
