/** `mesh tenants plan`: what a tenants file would change, and would have done with the last day's calls. */
import type { Command } from 'commander';
import { readTenantsFile } from '../../deploy/local/read-tenants-file.ts';
import { leasePages } from '../../shared/queue/lease-record.ts';
import { fieldChanges } from '../../shared/tenants/field-changes.ts';
import { forecast, type Forecast } from '../../shared/tenants/forecast/forecast.ts';
import { planTenants, type PlannedTenant } from '../../shared/tenants/plan-tenants.ts';
import { withCluster } from './connect.ts';
import { dataOption, type DataOptions } from './data-option.ts';
import type { CliPorts } from './ports.ts';
import { render, type Row } from './table.ts';
import { count } from './tenant-changes.ts';

const dayMs = 86_400_000;
const quietMs = 2_000;
const progressEveryMs = 1_000;

export function addPlanCommand(tenants: Command, ports: CliPorts): void {
  tenants
    .command('plan')
    .description(
      'show what `apply` would change, and what the new limits would have done with the calls of the last day; changes nothing',
    )
    .argument('<file>', 'the file')
    .option('--json', 'print JSON')
    .addOption(dataOption())
    .action((file: string, options: DataOptions) => plan(file, options, ports));
}

async function plan(file: string, options: DataOptions, ports: CliPorts): Promise<void> {
  const declared = await readTenantsFile(file);
  using progress = showProgress();
  const [planned, forecasts, others] = await withCluster(
    ports,
    options.data,
    async (connection) => {
      const { store, redis, auditLog, readHeld } = connection;
      const planned = await planTenants(declared, connection);
      const named = new Set<string>(planned.map(({ id }) => id));
      const others = (await store.listTenants()).filter(({ id }) => !named.has(id)).length;
      const forecasts = await forecast(planned, Date.now() - dayMs, {
        log: auditLog,
        readHeld,
        readLeases: (shard, from) => leasePages(redis, shard, from),
        onProgress: progress.onProgress,
      });
      return [planned, forecasts, others] as const;
    },
  );
  if (options.json) {
    const tenants = planned.map(({ id, change, before, after, users }) => ({
      id,
      change,
      fields: before ? fieldChanges(before, after) : [],
      users: users.map((user) => ({ before: user.before, after: user.after })),
      forecast: forecasts.find((each) => each.id === id),
    }));
    ports.print(JSON.stringify({ tenants, untouched: others }, undefined, 2));
    return;
  }
  ports.print(render(planned.flatMap(toRows), {}, 'Nothing would change.'));
  ports.print(`\n${summarise(planned)} ${count(others, 'tenant')} not in the file: untouched.`);
  for (const line of forecasts.flatMap(describe)) ports.print(line);
}

function toRows({ id, change, before, after, users }: PlannedTenant): readonly Row[] {
  const row = { tenant: id, change };
  const people = users.map((user) => ({
    ...row,
    field: `user ${user.after?.id}`,
    old: user.before ? [user.before.role, ...user.before.permissions].join(' ') : '',
    new: user.after ? [user.after.role, ...user.after.permissions].join(' ') : '',
  }));
  if (!before) return [{ ...row, field: '', old: '', new: '' }, ...people];
  return [...fieldChanges(before, after).map((field) => ({ ...row, ...field })), ...people];
}

function summarise(planned: readonly PlannedTenant[]): string {
  const groups = Map.groupBy(planned, ({ change }) => change);
  const parts = [...groups].map(([change, of]) => `${of.length} ${change}`);
  return `${count(planned.length, 'tenant')}: ${parts.join(', ') || 'none'}.`;
}

function describe({ id, rates, cap, over }: Forecast): readonly string[] {
  const lines: string[] = [];
  if (rates) {
    lines.push(
      `${id}: of ${rates.accepted} calls accepted since ${time(rates.from)}, ${rates.newlyRefused} would have been refused; of ${rates.refused} refused by a rate or as suspended, ${rates.newlyAccepted} would have been let through.`,
    );
  }
  if (cap) {
    const { before, after, calls, mostRunning, longerMs, shorterMs, longestMs } = cap;
    const waits =
      after === 0
        ? 'none would have run'
        : `${longerMs > 0 ? `${seconds(longerMs)} more waiting, at most ${seconds(longestMs)} a call` : 'no more waiting'}, ${seconds(shorterMs)} less`;
    lines.push(
      `${id}: cap ${before} to ${after}; at most ${mostRunning} ran at once since ${time(cap.from)}. Over ${calls} calls: ${waits}.`,
    );
  }
  for (const { limit, held, max } of over) {
    lines.push(
      `${id}: holds ${held} of ${limit}, over the limit of ${max}: what adds to it will be refused.`,
    );
  }
  return lines;
}

const seconds = (ms: number): string => `${(ms / 1_000).toFixed(1)} s`;
const time = (epochMs: number): string => new Date(epochMs).toISOString();

/** On standard error, and only where it takes long. */
function showProgress() {
  let [done, all] = [0, 0];
  const startedAt = performance.now();
  const timer = setInterval(() => {
    if (performance.now() - startedAt < quietMs) return;
    process.stderr.write(`Replayed ${done} of ${all} tenants.\n`);
  }, progressEveryMs);
  return {
    onProgress: (nowDone: number, nowAll: number) => void ([done, all] = [nowDone, nowAll]),
    [Symbol.dispose]: () => clearInterval(timer),
  };
}
