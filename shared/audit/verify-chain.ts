/** Recomputes a tenant's audit from its first kept entry to its end, and names the first that is wrong. */
import { z } from 'zod';
import type { TenantId } from '../ids.ts';
import type { AuditHead, AuditLog, AuditPage } from './audit-log.ts';
import { chainStart, hashEntry, type ChainEnd } from './entry.ts';

export type Verdict =
  | { readonly intact: true; readonly entries: number; readonly from: number; readonly to: number }
  | { readonly intact: false; readonly seq: number; readonly reason: string };

interface Broken {
  readonly seq: number;
  readonly reason: string;
}

/** What links an entry, and whatever else it holds. */
const Linked = z.looseObject({
  seq: z.number(),
  prev: z.string(),
  hash: z.string(),
  keptUntil: z.number().optional(),
  previousUntil: z.number().optional(),
});
type Linked = z.output<typeof Linked>;

/** The head is read before the pages: what is appended meanwhile must only continue the chain. */
export async function verifyChain(
  tenant: TenantId,
  { log, now }: { readonly log: Pick<AuditLog, 'readHead' | 'pages'>; readonly now: () => number },
): Promise<Verdict> {
  const nowSeconds = now() / 1_000;
  const head = await log.readHead(tenant);
  let end = chainStart(tenant);
  let entries = 0;
  let from = 0;
  for await (const page of log.pages(tenant)) {
    const checked = checkPage(page, end, { head, nowSeconds });
    if ('reason' in checked) return { intact: false, ...checked };
    if (entries === 0) from = page.firstSeq;
    entries += page.entries.length;
    end = checked;
  }
  const problem = checkEnd(end, head, nowSeconds);
  if (problem) return { intact: false, ...problem };
  return { intact: true, entries, from, to: end.seq };
}

interface Known {
  readonly head: AuditHead | undefined;
  readonly nowSeconds: number;
}

function checkPage(page: AuditPage, before: ChainEnd, known: Known): ChainEnd | Broken {
  let end = before;
  for (const [index, text] of page.entries.entries()) {
    const entry = parse(text);
    const expected = index === 0 ? page.firstSeq : end.seq + 1;
    if (!entry) return { seq: expected, reason: 'cannot be read' };
    const mayFollowGap = index === 0 && mayFollowExpired(entry, end, known.nowSeconds);
    if (index === 0 && expected > end.seq + 1 && !mayFollowGap) {
      return { seq: end.seq + 1, reason: 'is missing' };
    }
    const reason = checkEntry(entry, expected, mayFollowGap ? undefined : end.hash);
    if (reason !== undefined) return { seq: expected, reason };
    if (entry.seq === known.head?.seq && entry.hash !== known.head.hash) {
      return { seq: expected, reason: 'is not the one that the head names' };
    }
    end = { seq: entry.seq, hash: entry.hash, keptUntil: entry.keptUntil ?? end.keptUntil };
  }
  return end;
}

/** Entries before it are missing, and the page they were in need not be there any more. */
function mayFollowExpired(entry: Linked, end: ChainEnd, nowSeconds: number): boolean {
  const { previousUntil = Number.POSITIVE_INFINITY } = entry;
  return entry.seq > end.seq + 1 && previousUntil <= nowSeconds;
}

function checkEntry(entry: Linked, seq: number, prev: string | undefined): string | undefined {
  if (entry.hash !== hashEntry(entry)) return 'was changed: its hash does not fit';
  if (entry.seq !== seq) return `is out of order: entry ${entry.seq} stands there`;
  if (prev !== undefined && entry.prev !== prev) return 'does not follow the entry before it';
  return undefined;
}

function checkEnd(
  end: ChainEnd,
  head: AuditHead | undefined,
  nowSeconds: number,
): Broken | undefined {
  if (!head) {
    return end.seq === 0
      ? undefined
      : { seq: end.seq, reason: 'is the last, but the head is missing' };
  }
  const isExpired = head.keptUntil <= nowSeconds;
  if (end.seq >= head.seq || isExpired) return undefined;
  return { seq: end.seq + 1, reason: `is missing, and so is all up to ${head.seq}` };
}

function parse(text: string): Linked | undefined {
  try {
    return Linked.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}
