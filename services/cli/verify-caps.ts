/** `mesh verify-caps`: proves from the record of leases that no tenant was over its cap. */
import type { Command } from 'commander';
import { SetupError } from '../../deploy/local/setup-error.ts';
import { TenantId } from '../../shared/ids.ts';
import { readLeaseRecord, readQueueLimits } from '../../shared/queue/lease-record.ts';
import type { TenantVerdict } from '../../shared/queue/tenant-replay.ts';
import { verifyCaps, type Verdict } from '../../shared/queue/verify-caps.ts';
import { withCluster } from './connect.ts';
import { dataOption, type DataOptions } from './data-option.ts';
import { duration } from './options.ts';
import type { CliPorts } from './ports.ts';
import { render, type Row } from './table.ts';

interface VerifyOptions extends DataOptions {
  readonly since: number;
}

const standardWindowMs = 600_000;
/** So many violations are spelled out; the rest is counted. */
const mostShown = 20;

export function addVerifyCapsCommand(program: Command, ports: CliPorts): void {
  program
    .command('verify-caps')
    .description(
      'replay what happened to leases: who ran how much, who waited beside a free slot; exit code 1 if a cap was passed',
    )
    .option('--since <time>', 'how far back, as 10m, 12h or 30d', duration, standardWindowMs)
    .option('--json', 'print JSON')
    .addOption(dataOption())
    .action((options: VerifyOptions) => verify(options, ports));
}

async function verify(options: VerifyOptions, ports: CliPorts): Promise<void> {
  const verdict = await withCluster(ports, options.data, async ({ redis, shards }) => {
    const [seconds] = await redis.time();
    const to = (Number(seconds) + 1) * 1_000;
    const events = await readLeaseRecord(redis, shards);
    const named = new Set(events.flatMap((event) => ('tenant' in event ? [event.tenant] : [])));
    const tenants = [...named].flatMap((name) => TenantId.safeParse(name).data ?? []);
    const limits = await readQueueLimits(redis, shards, tenants);
    return verifyCaps(events, { from: to - options.since, to }, limits);
  });
  if (options.json) ports.print(JSON.stringify(verdict, undefined, 2));
  else printVerdict(verdict, ports);
  const { length } = verdict.violations;
  if (length > 0) throw new SetupError(`${length} ${length === 1 ? 'violation' : 'violations'}.`);
}

function printVerdict({ from, recordFrom, tenants, violations }: Verdict, ports: CliPorts): void {
  ports.print(render(tenants.map(toRow), {}, 'No leases in this time.'));
  if (recordFrom !== undefined && recordFrom > from) {
    ports.print(`The record begins at ${new Date(recordFrom).toISOString()}.`);
  }
  for (const { at, tenant, what, call, running, cap } of violations.slice(0, mostShown)) {
    const when = new Date(at).toISOString();
    ports.print(
      `${when}  ${tenant}  ${what}: ${call}, ${running} running, cap ${cap ?? 'unknown'}`,
    );
  }
  if (violations.length === 0) ports.print('No tenant was over its cap.');
}

function toRow(verdict: TenantVerdict): Row {
  const { tenant, cap, mostRunning, overCapMs, grants, longestFreeWaitMs } = verdict;
  return {
    tenant,
    cap: cap ?? 'unknown',
    'most running': mostRunning,
    'over cap ms': overCapMs,
    grants,
    'free wait ms': Math.round(longestFreeWaitMs),
    weight: verdict.weight,
    'share %': percent(verdict.share),
    'due %': percent(verdict.dueShare),
  };
}

const percent = (share: number): string => (share * 100).toFixed(1);
