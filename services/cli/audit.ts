/** `mesh audit`: what was decided about a tenant, and whether the record of it is whole. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Command } from 'commander';
import { SetupError } from '../../deploy/local/setup-error.ts';
import type { AuditLog } from '../../shared/audit/audit-log.ts';
import { AuditEntry } from '../../shared/audit/entry.ts';
import { verifyChain } from '../../shared/audit/verify-chain.ts';
import { TenantId } from '../../shared/ids.ts';
import { untilAskedToStop } from '../../shared/shutdown.ts';
import { withCluster } from './connect.ts';
import { dataOption, type DataOptions } from './data-option.ts';
import { parsedBy, wholeNumber } from './options.ts';
import type { CliPorts } from './ports.ts';

interface AuditOptions extends DataOptions {
  readonly tenant: TenantId;
}

interface TailOptions extends AuditOptions {
  readonly lines: number;
  readonly follow?: boolean;
}

const mostLines = 100_000;
const followEveryMs = 500;

export function addAuditCommands(program: Command, ports: CliPorts): void {
  const audit = program
    .command('audit')
    .description('Shows and checks the record of what was decided about a tenant');

  audit
    .command('tail')
    .description('the newest entries, oldest first')
    .requiredOption('--tenant <id>', 'the tenant', parsedBy(TenantId))
    .option('-n, --lines <n>', 'how many', wholeNumber(0, mostLines), 20)
    .option('-f, --follow', 'go on with new ones until Ctrl-C')
    .option('--json', 'print JSON, one entry a line')
    .addOption(dataOption())
    .action((options: TailOptions) => tail(options, ports));

  audit
    .command('verify')
    .description(
      'recompute the hash chain; exit code 1 and the first broken entry if it is not whole',
    )
    .requiredOption('--tenant <id>', 'the tenant', parsedBy(TenantId))
    .addOption(dataOption())
    .action((options: AuditOptions) => verify(options, ports));
}

async function tail(options: TailOptions, ports: CliPorts): Promise<void> {
  const { tenant, lines, follow = false } = options;
  const print = (text: string): void => ports.print(options.json ? text : toLine(text));
  await withCluster(ports, options.data, async ({ auditLog, store }) => {
    const newest = await readNewest(auditLog, tenant, lines);
    if (newest.length === 0 && lines > 0 && !(await store.readTenant(tenant))) {
      throw new SetupError(`There is no tenant ${tenant}, and no audit of one.`);
    }
    for (const text of newest) print(text);
    if (!follow) {
      if (newest.length === 0 && !options.json) ports.print(`Tenant ${tenant} has no entries.`);
      return;
    }
    const asked = untilAskedToStop();
    let next = ((await auditLog.readHead(tenant))?.seq ?? 0) + 1;
    const last = newest.at(-1);
    if (last !== undefined) next = AuditEntry.parse(JSON.parse(last)).seq + 1;
    for (;;) {
      for await (const { firstSeq, entries } of auditLog.pages(tenant, { fromSeq: next })) {
        for (const text of entries) print(text);
        next = firstSeq + entries.length;
      }
      if ((await Promise.race([asked, sleep(followEveryMs, 'again')])) !== 'again') return;
    }
  });
}

/** The last so many entries, in order. */
async function readNewest(
  log: AuditLog,
  tenant: TenantId,
  count: number,
): Promise<readonly string[]> {
  let newest: readonly string[] = [];
  if (count === 0) return newest;
  for await (const { entries } of log.pages(tenant, { newestFirst: true })) {
    newest = [...entries, ...newest];
    if (newest.length >= count) break;
  }
  return newest.slice(-count);
}

function toLine(text: string): string {
  const parsed = AuditEntry.safeParse(JSON.parse(text));
  if (!parsed.success) return text;
  const entry = parsed.data;
  const start = [entry.seq, new Date(entry.at).toISOString()];
  if (entry.action === 'gap') return [...start, `${entry.dropped} entries lost`].join('  ');
  const { user, credential, action, subject, decision, rule, outcome, invocation } = entry;
  const parts = [
    ...start,
    decision,
    rule ?? outcome,
    user,
    credential,
    action,
    subject,
    entry.times === undefined ? undefined : `${entry.times} times`,
    entry.ms === undefined ? undefined : `${entry.ms} ms`,
    invocation,
  ];
  return parts.filter((part) => part !== undefined).join('  ');
}

async function verify({ tenant, data }: AuditOptions, ports: CliPorts): Promise<void> {
  const verdict = await withCluster(ports, data, async ({ auditLog, store }) => {
    const verdict = await verifyChain(tenant, { log: auditLog, now: Date.now });
    const isNothing = verdict.intact && verdict.to === 0;
    // A misspelt name must not pass for a tenant whose audit is whole.
    if (isNothing && !(await store.readTenant(tenant))) {
      throw new SetupError(`There is no tenant ${tenant}, and no audit of one.`);
    }
    return verdict;
  });
  if (!verdict.intact) {
    throw new SetupError(
      `The audit of ${tenant} is broken: entry ${verdict.seq} ${verdict.reason}.`,
    );
  }
  const { entries, from, to } = verdict;
  ports.print(
    entries === 0
      ? `The audit of ${tenant} is whole and holds no entries.`
      : `The audit of ${tenant} is whole: ${entries} entries, ${from} to ${to}.`,
  );
}
