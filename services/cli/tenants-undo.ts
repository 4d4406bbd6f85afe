/** `mesh tenants changes|undo`: what tenants files have changed, and the way back. */
import type { Command } from 'commander';
import { SetupError } from '../../deploy/local/setup-error.ts';
import type { ChangeHead } from '../../shared/tenants/change-set.ts';
import type { TenantStore } from '../../shared/tenants/tenant-store.ts';
import { undoChange } from '../../shared/tenants/undo-change.ts';
import { withCluster } from './connect.ts';
import { dataOption, type DataOptions } from './data-option.ts';
import { wholeNumber } from './options.ts';
import type { CliPorts } from './ports.ts';
import { render } from './table.ts';
import { count, countCalls } from './tenant-changes.ts';

interface UndoOptions extends DataOptions {
  readonly force?: boolean;
}

interface ChangesOptions extends DataOptions {
  readonly lines: number;
}

export function addUndoCommands(tenants: Command, ports: CliPorts): void {
  tenants
    .command('changes')
    .description('what tenants files have changed in the last 30 days, newest first')
    .option('-n, --lines <n>', 'how many', wholeNumber(1, 10_000), 20)
    .option('--json', 'print JSON')
    .addOption(dataOption())
    .action((options: ChangesOptions) => list(options, ports));

  tenants
    .command('undo')
    .description('restore what a change has replaced, all of it or nothing')
    .argument('[change]', 'its id, as listed; without one, the newest that is not undone')
    .option('--force', 'also what somebody has changed since')
    .addOption(dataOption())
    .action((id: string | undefined, options: UndoOptions) => undo(id, options, ports));
}

async function list(options: ChangesOptions, ports: CliPorts): Promise<void> {
  const heads = await withCluster(ports, options.data, async ({ store }) => {
    const heads: ChangeHead[] = [];
    for await (const head of store.listChanges()) {
      if (heads.push(head) >= options.lines) break;
    }
    return heads;
  });
  const rows = heads.map(({ id, at, by, what, tenants, undoneBy }) => ({
    id,
    at: new Date(at).toISOString(),
    by,
    what,
    tenants,
    'undone by': undoneBy ?? '',
  }));
  ports.print(render(rows, options, 'No changes.'));
}

async function undo(
  id: string | undefined,
  { data, force = false }: UndoOptions,
  ports: CliPorts,
): Promise<void> {
  const made = await withCluster(ports, data, async (connection) => {
    const { store } = connection;
    const wanted = id ?? (await findNewest(store));
    const set = wanted === undefined ? undefined : await store.readChange(wanted);
    if (!set) {
      throw new SetupError(
        id === undefined ? 'There is nothing to undo.' : `There is no change ${id}.`,
      );
    }
    return undoChange(
      set,
      { force },
      { ...connection, countOutstanding: (tenant) => countCalls(connection, tenant) },
    );
  });
  ports.print(
    `Undid change ${made.undoes} of ${count(made.tenants, 'tenant')}, by change ${made.id}.`,
  );
}

/** Of those that are neither undone nor an undo: undoing twice goes back twice. */
async function findNewest(store: Pick<TenantStore, 'listChanges'>): Promise<string | undefined> {
  for await (const { id, undoes, undoneBy } of store.listChanges()) {
    if (undoes === undefined && undoneBy === undefined) return id;
  }
  return undefined;
}
