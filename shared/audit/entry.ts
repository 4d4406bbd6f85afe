/**
 * What an audit says: one entry for each decision, and how entries of a tenant form a chain. An
 * entry holds its number, the hash of the one before it and its own, so that none can be changed,
 * dropped or moved unnoticed. Arguments, results and tokens are never part of it.
 */
import { createHash } from 'node:crypto';
import { z } from 'zod';
import type { TenantId } from '../ids.ts';

export const AuditAction = z.enum([
  'tools/call',
  'tenants/create',
  'tenants/update',
  'tenants/suspend',
  'tenants/resume',
  'tenants/delete',
  'users/remove',
  'keys/create',
  'keys/revoke',
  'sessions/revoke',
  'tasks/cancel',
  'credentials/change',
  'dead-letters/replay',
  'dead-letters/discard',
]);
export type AuditAction = z.output<typeof AuditAction>;

/** A decision as whoever made it records it. */
export const AuditEvent = z.object({
  /** Epoch ms by the clock of the process that decided. */
  at: z.number(),
  user: z.string(),
  /**
   * What the user proved to be: `key <id>`, `token <issuer>`, `operator` at a command line, `console`
   * for an operator who is signed in there, or `none` where AUTH is off.
   */
  credential: z.string(),
  action: AuditAction,
  /** The tool, key, user or fields that it was about. */
  subject: z.string().optional(),
  decision: z.enum(['allowed', 'refused']),
  /** The fault code of a refusal. */
  rule: z.string().optional(),
  /** How an allowed call ended: `completed`, or a fault code. */
  outcome: z.string().optional(),
  invocation: z.string().optional(),
  /** Milliseconds from request to answer. */
  ms: z.number().optional(),
  /** How many like decisions in a row the entry stands for, if not one. */
  times: z.number().optional(),
});
export type AuditEvent = z.output<typeof AuditEvent>;

/** So many decisions were made here of which nothing could be kept. */
export const AuditGap = z.object({
  at: z.number(),
  action: z.literal('gap'),
  dropped: z.number(),
});
export type AuditGap = z.output<typeof AuditGap>;

const links = {
  /** From 1, without holes. */
  seq: z.number().int().min(1),
  prev: z.string(),
  hash: z.string(),
  /** On the first entry of a page: epoch seconds until which the page is kept, and the page before it. */
  keptUntil: z.number().optional(),
  previousUntil: z.number().optional(),
};
export const AuditEntry = z.union([AuditEvent.extend(links), AuditGap.extend(links)]);
export type AuditEntry = z.output<typeof AuditEntry>;

/** The end of a chain, to which the next page is tied. */
export interface ChainEnd {
  readonly seq: number;
  readonly hash: string;
  /** Epoch seconds until which the last page is kept; 0 before the first. */
  readonly keptUntil: number;
}

/** Where a tenant's chain begins: its entries fit into no other tenant's. */
export function chainStart(tenant: TenantId): ChainEnd {
  return { seq: 0, hash: sha256(`agent-mesh audit of ${tenant}`), keptUntil: 0 };
}

/** Ties a page of events to the end of the chain. Events must not be empty. */
export function chainPage(
  end: ChainEnd,
  events: readonly (AuditEvent | AuditGap)[],
  keptUntil: number,
): { readonly entries: readonly AuditEntry[]; readonly end: ChainEnd } {
  let { seq, hash } = end;
  const entries = events.map((event) => {
    const isFirst = seq === end.seq;
    const unsigned = {
      ...event,
      seq: seq + 1,
      prev: hash,
      ...(isFirst ? { keptUntil, previousUntil: end.keptUntil } : {}),
    };
    seq += 1;
    hash = hashEntry(unsigned);
    return { ...unsigned, hash };
  });
  return { entries, end: { seq, hash, keptUntil } };
}

/** SHA-256 over the entry without its own hash: JSON of its fields in the order of their names. */
export function hashEntry(entry: object): string {
  const fields = Object.entries(entry)
    .filter(([name, value]) => name !== 'hash' && value !== undefined)
    .sort(([a], [b]) => (a < b ? -1 : 1));
  return sha256(JSON.stringify(fields));
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('base64url');
}
