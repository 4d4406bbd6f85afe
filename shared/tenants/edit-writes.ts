/** Edits of records as the writes of transactions, each on the condition that its record is as it was before. */
import {
  GetItemCommand,
  type DynamoDBClient,
  type TransactWriteItem,
} from '@aws-sdk/client-dynamodb';
import { isSame, type Edit, type TenantEdit, type UserEdit } from './change-set.ts';
import {
  deletedKey,
  fromItem,
  ifAbsent,
  ifVersion,
  recordKey,
  StoredUser,
  TenantChanged,
  tenantItem,
  tenantKey,
  toItem,
  toKey,
  userPrefix,
} from './tenant-items.ts';

export interface EditWrite {
  /** What somebody else has changed if its condition fails. */
  readonly about: string;
  readonly write: TransactWriteItem;
}

interface Table {
  readonly dynamo: DynamoDBClient;
  readonly table: string;
}

/** Of the edits of one part. @throws {TenantChanged} if a user is not as it was before. */
export async function toWrites(edits: readonly Edit[], table: Table): Promise<EditWrite[]> {
  const written = new Set(edits.flatMap((edit) => (edit.kind === 'tenant' ? [edit.tenant] : [])));
  const others = new Set(edits.flatMap(({ tenant }) => (written.has(tenant) ? [] : [tenant])));
  const checks = [...others].map((tenant) => ({
    about: `tenant ${tenant}`,
    write: {
      ConditionCheck: {
        TableName: table.table,
        Key: toKey(tenantKey(tenant), recordKey),
        ConditionExpression: 'attribute_exists(pk)',
      },
    },
  }));
  const writes = await Promise.all(
    edits.map(async (edit) => (edit.kind === 'user' ? ofUser(edit, table) : ofTenant(edit, table))),
  );
  return [...checks, ...writes.flat()];
}

/** In parts of at most so many writes. The edits of a tenant stay together, unless they are more. */
export function toParts(edits: readonly Edit[], most: number): readonly (readonly Edit[])[] {
  const parts: Edit[][] = [];
  let room = 0;
  for (const group of Map.groupBy(edits, ({ tenant }) => tenant).values()) {
    const needed = weigh(group);
    for (let from = 0; from < group.length; from += most - 1) {
      const some = group.slice(from, from + most - 1);
      const part = parts.at(-1);
      if (part && Math.min(needed, most) <= room) part.push(...some);
      else {
        parts.push([...some]);
        room = most;
      }
      room -= weigh(some);
    }
  }
  return parts;
}

function weigh(group: readonly Edit[]): number {
  const tenants = group.filter(({ kind }) => kind === 'tenant');
  const deletions = tenants.filter(({ after }) => after === undefined).length;
  return group.length + deletions + (tenants.length === 0 ? 1 : 0);
}

function ofTenant({ tenant, before, after }: TenantEdit, { table: TableName }: Table): EditWrite[] {
  const about = `tenant ${tenant}`;
  const condition = before ? ifVersion(before.version) : ifAbsent;
  if (after)
    return [{ about, write: { Put: { TableName, Item: tenantItem(after), ...condition } } }];
  const pk = tenantKey(tenant);
  // What remembers its limits must take those of a later tenant of this id.
  const left = { shard: before?.shard ?? 0, version: (before?.version ?? 0) + 1 };
  return [
    { about, write: { Delete: { TableName, Key: toKey(pk, recordKey), ...condition } } },
    { about, write: { Put: { TableName, Item: toItem(pk, deletedKey, left) } } },
  ];
}

/** Records of users have no version: their text is the condition. */
async function ofUser(edit: UserEdit, { dynamo, table: TableName }: Table): Promise<EditWrite[]> {
  const { tenant, before, after } = edit;
  const id = (after ?? before)?.id ?? '';
  const about = `user ${id} of tenant ${tenant}`;
  const Key = toKey(tenantKey(tenant), userPrefix + id);
  const { Item } = await dynamo.send(new GetItemCommand({ TableName, Key, ConsistentRead: true }));
  if (!isSame(Item && fromItem(StoredUser, Item), before)) throw changedMeanwhile([about]);
  const condition = Item?.['record']
    ? {
        ConditionExpression: '#record = :record',
        ExpressionAttributeNames: { '#record': 'record' },
        ExpressionAttributeValues: { ':record': Item['record'] },
      }
    : ifAbsent;
  if (!after) return [{ about, write: { Delete: { TableName, Key, ...condition } } }];
  const put = { TableName, Item: toItem(tenantKey(tenant), userPrefix + id, after), ...condition };
  return [{ about, write: { Put: put } }];
}

const mostNamed = 5;

export function changedMeanwhile(about: readonly string[], cause?: unknown): TenantChanged {
  const named = [...new Set(about)];
  const more = named.length > mostNamed ? ` and ${named.length - mostNamed} more` : '';
  const text = `Somebody else has changed ${named.slice(0, mostNamed).join(', ')}${more}.`;
  return new TenantChanged(text, { cause });
}
