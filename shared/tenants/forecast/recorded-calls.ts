/** The calls of a tenant as its audit recorded them, in the order in which they asked for admission. */
import type { AuditLog } from '../../audit/audit-log.ts';
import { AuditEntry } from '../../audit/entry.ts';
import type { TenantId } from '../../ids.ts';

export interface RecordedCall {
  /** Epoch ms at which it asked. */
  readonly at: number;
  readonly user: string;
  readonly tool: string;
  readonly decision: 'accepted' | 'refused by a rate' | 'refused as suspended';
  /** Like refusals in a row are recorded as one. */
  readonly times: number;
}

export interface RecordedCalls {
  readonly calls: readonly RecordedCall[];
  /** Epoch ms: how far back they reach, which is later than asked for if there were too many. */
  readonly from: number;
}

const refusals: Readonly<Record<string, RecordedCall['decision']>> = {
  quota_exceeded: 'refused by a rate',
  tenant_suspended: 'refused as suspended',
};

/** At most the newest `most`, so that a busy tenant does not fill the memory. */
export async function readRecordedCalls(
  tenant: TenantId,
  { from, most }: { readonly from: number; readonly most: number },
  log: Pick<AuditLog, 'pages'>,
): Promise<RecordedCalls> {
  const calls: RecordedCall[] = [];
  // Thousands of calls share a few names.
  const names = new Map<string, string>();
  const one = (name: string): string => names.get(name) ?? (names.set(name, name), name);
  for await (const { entries } of log.pages(tenant, { newestFirst: true })) {
    let newest = 0;
    for (const text of entries) {
      const entry = AuditEntry.parse(JSON.parse(text));
      newest = Math.max(newest, entry.at);
      if (entry.action !== 'tools/call' || entry.at < from) continue;
      const { at, ms = 0, user, subject = '', times = 1 } = entry;
      const decision = entry.decision === 'allowed' ? 'accepted' : refusals[entry.rule ?? ''];
      if (!decision) continue;
      // An entry is written when the call has ended.
      calls.push({ at: at - ms, user: one(user), tool: one(subject), decision, times });
    }
    if (newest < from) break;
    if (calls.length >= most) return { calls: inOrder(calls), from: oldest(calls) };
  }
  return { calls: inOrder(calls), from };
}

const inOrder = (calls: RecordedCall[]): RecordedCall[] => calls.sort((a, b) => a.at - b.at);

const oldest = (calls: readonly RecordedCall[]): number =>
  calls.reduce((least, { at }) => Math.min(least, at), Infinity);
