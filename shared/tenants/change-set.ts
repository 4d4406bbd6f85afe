/**
 * A change set: what one change of many records was, so that it can be taken back. Each edit holds a
 * record as it was and as it became.
 */
import { isDeepStrictEqual } from 'node:util';
import { z } from 'zod';
import { TenantId } from '../ids.ts';
import { DeletedTenant, StoredTenant, StoredUser } from './tenant-items.ts';
import type { Tenant, User } from './tenant.ts';

const TenantEdit = z.object({
  kind: z.literal('tenant'),
  tenant: TenantId,
  before: StoredTenant.optional(),
  after: StoredTenant.optional(),
  /** What an earlier tenant of this id has left, where there is no tenant before. */
  deleted: DeletedTenant.optional(),
});

const UserEdit = z.object({
  kind: z.literal('user'),
  tenant: TenantId,
  before: StoredUser.optional(),
  after: StoredUser.optional(),
});

/** Where there is no record before, it is created; where there is none after, it is taken away. */
export const Edit = z.discriminatedUnion('kind', [TenantEdit, UserEdit]);
export type Edit = z.output<typeof Edit>;
export type TenantEdit = z.output<typeof TenantEdit>;
export type UserEdit = z.output<typeof UserEdit>;

export const ChangeHead = z.object({
  /** Sorts by time. */
  id: z.string(),
  /** Epoch ms. */
  at: z.number(),
  /** Who made it. */
  by: z.string(),
  what: z.string(),
  tenants: z.number(),
  /** How many transactions it takes. */
  parts: z.number(),
  /** The change set that this one takes back. */
  undoes: z.string().optional(),
  /** The one that took this one back. */
  undoneBy: z.string().optional(),
});
export type ChangeHead = z.output<typeof ChangeHead>;

export interface ChangeSet {
  readonly head: ChangeHead;
  /** In the order in which they were written; of a change that broke off, those that were. */
  readonly edits: readonly Edit[];
  /** Fewer than the head says if its writer died on the way. */
  readonly partsWritten: number;
}

/** Whether two records say the same, whichever their versions. */
export function isSame(one: Tenant | User | undefined, other: Tenant | User | undefined): boolean {
  return isDeepStrictEqual(withoutVersion(one), withoutVersion(other));
}

function withoutVersion(record: Tenant | User | undefined): unknown {
  return record && { ...record, version: undefined };
}

/** The edits that take these back, as the records stand since. Versions go on. */
export function invert(edits: readonly Edit[]): readonly Edit[] {
  return edits.toReversed().map((edit) => {
    if (edit.kind === 'user') return { ...edit, before: edit.after, after: edit.before };
    const { tenant, deleted } = edit;
    const version = (edit.after?.version ?? deleted?.version ?? 0) + 1;
    const restored = edit.before && { ...edit.before, version };
    return { kind: 'tenant', tenant, before: edit.after, after: restored };
  });
}
