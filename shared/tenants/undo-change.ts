/** Takes a change of many records back, all of it or nothing, and as a change that can be taken back itself. */
import type { TenantId } from '../ids.ts';
import type { ApplyPorts } from './apply-tenants.ts';
import { invert, isSame, type ChangeHead, type ChangeSet, type Edit } from './change-set.ts';
import { TenantChanged } from './tenant-items.ts';
import type { TenantStore } from './tenant-store.ts';
import type { Tenant } from './tenant.ts';

export interface UndoPorts extends ApplyPorts {
  /** How many accepted calls of the tenant are not settled. */
  readonly countOutstanding: (tenant: Tenant) => Promise<number>;
}

type StoredKeys = Awaited<ReturnType<TenantStore['findKeys']>>;

const readsAtOnce = 16;

interface Undone {
  readonly edits: readonly Edit[];
  /** What somebody has changed since. */
  readonly since: readonly string[];
}

/**
 * `force` restores records that somebody has changed since, too, and takes away a tenant that the
 * change created although it has got keys, users and calls.
 * @throws {TenantChanged} if there are such records, without `force`.
 */
export async function undoChange(
  { head, edits: done }: ChangeSet,
  { force }: { readonly force: boolean },
  ports: UndoPorts,
): Promise<ChangeHead> {
  const { store, by = 'operator' } = ports;
  const edited = invert(done);
  const isRemoval = edited.some((edit) => edit.kind === 'tenant' && !edit.after);
  const undone: Undone[] = [];
  const keys = isRemoval ? await store.findKeys('') : [];
  for (let from = 0; from < edited.length; from += readsAtOnce) {
    const some = edited.slice(from, from + readsAtOnce);
    undone.push(...(await Promise.all(some.map((edit) => rebase(edit, keys, ports)))));
  }
  const since = undone.flatMap((each) => each.since);
  if (since.length > 0 && !force) {
    const list = since.map((text) => `${text}\n`).join('');
    throw new TenantChanged(`${list}Nothing was changed. --force restores what was before.`);
  }
  const edits = undone.flatMap((each) => each.edits);
  if (edits.length === 0) throw new TenantChanged(`Nothing of change ${head.id} is left to undo.`);
  const what = `undo ${head.id}`;
  const made = await store.commitChange(edits, { by, what, undoes: head.id });
  const removed = new Set<string>();
  for (const id of new Set(edits.map(({ tenant }) => tenant))) {
    const edit = edits.find(({ tenant, kind }) => tenant === id && kind === 'tenant');
    if (await tell(id, edit, `${what}, change ${made.id}`, ports)) removed.add(id);
  }
  const orphans = removed.size > 0 ? await store.findKeys('') : [];
  for (const { hash, key } of orphans)
    if (removed.has(key.tenant)) await store.revokeKey(hash, key.tenant);
  return made;
}

/** The edit on top of what is there now. */
async function rebase(edit: Edit, keys: StoredKeys, ports: UndoPorts): Promise<Undone> {
  const { store } = ports;
  const { tenant } = edit;
  if (edit.kind === 'user') {
    const id = (edit.before ?? edit.after)?.id;
    const before = id && (await store.readUser(tenant, id));
    const since = isSame(before || undefined, edit.before)
      ? []
      : [`User ${id} of tenant ${tenant} is not as the change left it.`];
    const edits = isSame(before || undefined, edit.after)
      ? []
      : [{ ...edit, before: before || undefined }];
    return { edits, since };
  }
  const before = await store.readTenant(tenant);
  const since = isSame(before, edit.before)
    ? []
    : [`Tenant ${tenant} is not as the change left it.`];
  if (isSame(before, edit.after)) return { edits: [], since };
  const left = before ?? (await store.readDeleted(tenant));
  const after = edit.after && { ...edit.after, version: (left?.version ?? 0) + 1 };
  const edits: Edit[] = [{ kind: 'tenant', tenant, before, after }];
  return {
    edits,
    since: before && !after ? [...since, ...(await holds(before, keys, ports))] : since,
  };
}

/** What a tenant that is to be taken away has got since. */
async function holds(
  tenant: Tenant,
  allKeys: StoredKeys,
  { countOutstanding }: UndoPorts,
): Promise<string[]> {
  const { id } = tenant;
  const keys = allKeys.filter(({ key }) => key.tenant === id);
  const calls = await countOutstanding(tenant);
  return [
    ...(keys.length > 0 ? [`Tenant ${id} has ${keys.length} API keys by now.`] : []),
    ...(calls > 0 ? [`Tenant ${id} has ${calls} outstanding calls.`] : []),
  ];
}

/** Resolves with whether the tenant is gone. */
async function tell(
  id: TenantId,
  edit: Edit | undefined,
  what: string,
  { store, announce, onApplied }: UndoPorts,
): Promise<boolean> {
  const now = await store.readTenant(id);
  if (now) {
    await announce(now);
    onApplied?.(now, edit && !edit.before ? 'created' : 'updated', what);
    return false;
  }
  if (edit?.kind !== 'tenant' || !edit.before) return false;
  for (const user of await store.listUsers(id)) await store.deleteUser(id, user.id);
  // Nothing of it starts any more.
  const limits = { ...edit.before.limits, concurrency: 0 };
  await announce({ ...edit.before, status: 'suspended', limits, version: edit.before.version + 1 });
  onApplied?.(edit.before, 'deleted', what);
  return true;
}
