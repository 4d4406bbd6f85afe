/** `mesh dead-letters`: calls that failed for reasons which are not their caller's. */
import type { Command } from 'commander';
import { SetupError } from '../../deploy/local/setup-error.ts';
import {
  createDeadLetterStore,
  type DeadLetterStore,
} from '../../shared/dead-letters/dead-letter-store.ts';
import type { DeadLetter } from '../../shared/dead-letters/dead-letter.ts';
import { sensitiveOf, timeoutOf } from '../../shared/dead-letters/known-tools.ts';
import { discardLetters, replayLetters } from '../../shared/dead-letters/operate.ts';
import { FaultCode } from '../../shared/faults.ts';
import { InvocationId, TenantId } from '../../shared/ids.ts';
import { createInvocationQueue } from '../../shared/queue/invocation-queue.ts';
import type { Tenant } from '../../shared/tenants/tenant.ts';
import { withCluster, type Connection } from './connect.ts';
import { dataOption, type DataOptions } from './data-option.ts';
import { parsedBy } from './options.ts';
import type { CliPorts } from './ports.ts';
import { render } from './table.ts';

interface LetterOptions extends DataOptions {
  readonly tenant: TenantId;
}

interface FilterOptions extends LetterOptions {
  readonly tool?: string;
  readonly code?: FaultCode;
}

interface ChoiceOptions extends FilterOptions {
  readonly all?: boolean;
}

interface Opened {
  readonly letters: DeadLetterStore;
  readonly tenant: Tenant;
  readonly recordChange: Connection['recordChange'];
}

export function addDeadLetterCommands(program: Command, ports: CliPorts): void {
  const letters = program
    .command('dead-letters')
    .description('Lists, replays and discards calls that failed without their caller’s fault');

  const add = (name: string, description: string): Command =>
    letters
      .command(name)
      .description(description)
      .requiredOption('--tenant <id>', 'the tenant', parsedBy(TenantId))
      .addOption(dataOption());
  const filtered = (command: Command): Command =>
    command
      .option('--tool <name>', 'calls of this tool')
      .option('--code <code>', 'calls that failed with this fault code', parsedBy(FaultCode));

  filtered(add('list', 'newest first'))
    .option('--json', 'print JSON')
    .action((options: FilterOptions) => list(options, ports));

  add('show', 'one of them, without what its tool calls sensitive')
    .argument('<id>', 'its id, as listed', parsedBy(InvocationId))
    .action((id: InvocationId, options: LetterOptions) => show(id, options, ports));

  filtered(add('replay', 'run again, under the same id and with all arguments'))
    .argument('[ids...]', 'ids, as listed')
    .option('--all', 'all of the tenant')
    .action((ids: readonly string[], options: ChoiceOptions) => replay(ids, options, ports));

  filtered(add('discard', 'throw away'))
    .argument('[ids...]', 'ids, as listed')
    .option('--all', 'all of the tenant')
    .action((ids: readonly string[], options: ChoiceOptions) => discard(ids, options, ports));
}

function withLetters<Result>(
  { tenant: id, data }: LetterOptions,
  ports: CliPorts,
  work: (opened: Opened) => Promise<Result>,
): Promise<Result> {
  return withCluster(ports, data, async ({ redis, store, recordChange }) => {
    const tenant = await store.readTenant(id);
    if (!tenant) throw new SetupError(`There is no tenant ${id}.`);
    const letters = createDeadLetterStore({
      redis,
      // Nothing is claimed here, so that the lease says nothing.
      queue: createInvocationQueue(redis, { name: 'cli', leaseMs: 1_000 }),
      sensitiveOf,
      timeoutOf,
    });
    return work({ letters, tenant, recordChange });
  });
}

async function list(options: FilterOptions, ports: CliPorts): Promise<void> {
  const found = await withLetters(options, ports, ({ letters, tenant }) =>
    letters.list(tenant, options),
  );
  const rows = found.map(
    ({ id, failedAt, tool = '', code, attempts, user = '', traceId = '' }) => ({
      id,
      failed: new Date(failedAt).toISOString(),
      tool,
      code,
      attempts,
      user,
      trace: traceId,
    }),
  );
  ports.print(
    options.json
      ? JSON.stringify(found, undefined, 2)
      : render(rows, {}, `Tenant ${options.tenant} has no dead letters.`),
  );
}

async function show(id: InvocationId, options: LetterOptions, ports: CliPorts): Promise<void> {
  const letter = await withLetters(options, ports, ({ letters, tenant }) =>
    letters.read(tenant, id),
  );
  if (!letter) throw new SetupError(`Tenant ${options.tenant} has no dead letter ${id}.`);
  ports.print(JSON.stringify(letter, undefined, 2));
}

/** Ids one by one, or all that fit; never everything by accident. */
async function choose(
  ids: readonly string[],
  { tool, code, all }: ChoiceOptions,
  { letters, tenant }: Opened,
): Promise<readonly DeadLetter[]> {
  const byFilter = all === true || tool !== undefined || code !== undefined;
  if (byFilter === ids.length > 0) {
    throw new SetupError('Name either ids, or what to choose by: --tool, --code or --all.');
  }
  const found = await letters.list(tenant, { tool, code });
  const missing = ids.find((id) => !found.some((letter) => letter.id === id));
  if (missing !== undefined) {
    throw new SetupError(`Tenant ${tenant.id} has no dead letter ${missing}.`);
  }
  return byFilter ? found : found.filter(({ id }) => ids.includes(id));
}

async function replay(
  ids: readonly string[],
  options: ChoiceOptions,
  ports: CliPorts,
): Promise<void> {
  const { replayed, refused } = await withLetters(options, ports, async (opened) => {
    // Oldest first, as they came.
    const chosen = [...(await choose(ids, options, opened))].reverse();
    return replayLetters(
      opened.tenant,
      chosen.map(({ id }) => id),
      opened,
    );
  });
  ports.print(`Replayed ${replayed} ${replayed === 1 ? 'call' : 'calls'}.`);
  const lines = refused.map(({ id, why }) => `${id}: ${why}`);
  if (lines.length > 0) throw new SetupError(`Not replayed:\n${lines.join('\n')}`);
}

async function discard(
  ids: readonly string[],
  options: ChoiceOptions,
  ports: CliPorts,
): Promise<void> {
  const discarded = await withLetters(options, ports, async (opened) => {
    const chosen = (await choose(ids, options, opened)).map(({ id }) => id);
    return discardLetters(opened.tenant, chosen, opened);
  });
  ports.print(`Discarded ${discarded} ${discarded === 1 ? 'call' : 'calls'}.`);
}
