/** A tenant's audit in pages, newest first. */
import type { AuditLog } from '../audit/audit-log.ts';
import { AuditEntry } from '../audit/entry.ts';
import type { TenantId } from '../ids.ts';
import type { AuditPage, AuditRow } from './api.ts';

const entriesPerPage = 50;

export async function readAuditPage(
  tenant: TenantId,
  before: number | undefined,
  log: AuditLog,
): Promise<AuditPage> {
  const entries: AuditRow[] = [];
  for await (const entry of newestFirst(tenant, before, log)) {
    entries.push(entry);
    if (entries.length > entriesPerPage) break;
  }
  const shown = entries.slice(0, entriesPerPage);
  const last = shown.at(-1);
  return { entries: shown, ...(entries.length > shown.length && last && { before: last.seq }) };
}

/** All that are kept, from the one before `before` on. */
export async function* newestFirst(
  tenant: TenantId,
  before: number | undefined,
  log: AuditLog,
): AsyncIterable<AuditRow> {
  const toSeq = before === undefined ? undefined : before - 1;
  for await (const page of log.pages(tenant, { toSeq, newestFirst: true })) {
    const entries = page.entries.flatMap((text) => toRow(text) ?? []);
    yield* entries.filter(({ seq }) => toSeq === undefined || seq <= toSeq).reverse();
  }
}

function toRow(text: string): AuditRow | undefined {
  const entry = AuditEntry.safeParse(JSON.parse(text)).data;
  if (!entry) return undefined;
  if (entry.action !== 'gap') {
    const { hash: _hash, prev: _prev, keptUntil: _, previousUntil: __, ...row } = entry;
    return row;
  }
  const { seq, at, action, dropped } = entry;
  return { seq, at, action, user: '', credential: '', decision: 'lost', times: dropped };
}
