/**
 * Records of tenants, users and API keys in one DynamoDB table:
 *
 *     TENANT#<id>    RECORD         the tenant
 *     TENANT#<id>    USER#<user>    one of its users
 *     TENANT#<id>    DELETED        shard and last version of a tenant that is no more
 *     KEY#<sha256>   KEY            whom an API key stands for
 *     CHANGES, CHANGE#<id>          what changes of many records have done, see `change-log.ts`
 *     WRITES                        a note of every write, see `write-notes.ts`
 *
 * Each item holds its record as JSON. Reads are strongly consistent and parsed; no cache here,
 * `directory.ts` has one. Rejects with the SDK's own exceptions.
 */
import {
  GetItemCommand,
  TransactionCanceledException,
  TransactWriteItemsCommand,
  paginateQuery,
  paginateScan,
  type AttributeValue,
  type DynamoDBClient,
  type Put,
  type TransactWriteItem,
} from '@aws-sdk/client-dynamodb';
import type { z } from 'zod';
import { KeyHash, KeyRecord } from './api-keys.ts';
import type { TenantId, UserId } from '../ids.ts';
import { createChangeLog, type ChangeLog } from './change-log.ts';
import {
  DeletedTenant,
  deletedKey,
  fromItem,
  ifAbsent,
  ifVersion,
  recordKey,
  StoredTenant,
  StoredUser,
  TenantChanged,
  tenantItem,
  tenantKey,
  toItem,
  toKey,
  userPrefix,
} from './tenant-items.ts';
import { Tenant, type User } from './tenant.ts';
import { createWriteNotes, noteWrite, type WriteNotes } from './write-notes.ts';

export interface TenantStore extends ChangeLog, WriteNotes {
  readTenant(id: TenantId, signal?: AbortSignal): Promise<Tenant | undefined>;
  listTenants(): Promise<readonly Tenant[]>;

  /**
   * Stores the tenant with a version one above `previous` and resolves with it.
   * @throws {TenantChanged} if the stored version is another one by now.
   */
  writeTenant(tenant: Omit<Tenant, 'version'>, previous: number): Promise<Tenant>;

  /**
   * Stores a new tenant. Its version goes on from that of a deleted one of the same id, so that
   * what remembers the old limits takes the new ones.
   * @throws {TenantChanged} if there is one by now.
   */
  createTenant(tenant: Omit<Tenant, 'version'>, deleted?: DeletedTenant): Promise<Tenant>;
  /** @throws {TenantChanged} if the stored version is another one by now. */
  deleteTenant(tenant: Tenant): Promise<void>;
  readDeleted(id: TenantId): Promise<DeletedTenant | undefined>;

  readUser(tenant: TenantId, user: UserId, signal?: AbortSignal): Promise<User | undefined>;
  listUsers(tenant: TenantId): Promise<readonly User[]>;
  writeUser(tenant: TenantId, user: User): Promise<void>;
  deleteUser(tenant: TenantId, user: UserId): Promise<void>;

  readKey(hash: KeyHash, signal?: AbortSignal): Promise<KeyRecord | undefined>;
  writeKey(hash: KeyHash, key: KeyRecord): Promise<void>;
  /** Reads the whole table: for operators, never for a call. */
  listKeys(tenant: TenantId): Promise<readonly StoredKey[]>;
  /** Every key whose hash starts like that. Reads the whole table, too. */
  findKeys(hashPrefix: string): Promise<readonly StoredKey[]>;
  revokeKey(hash: KeyHash, tenant: TenantId): Promise<void>;
}

interface StoredKey {
  readonly hash: KeyHash;
  readonly key: KeyRecord;
}

const keyPrefix = 'KEY#';
const keyKey = 'KEY';

export function createTenantStore(ports: {
  readonly dynamo: DynamoDBClient;
  readonly table: string;
}): TenantStore {
  const { dynamo, table } = ports;

  async function read<Schema extends z.ZodType>(
    schema: Schema,
    pk: string,
    sk: string,
    signal?: AbortSignal,
  ): Promise<z.output<Schema> | undefined> {
    const { Item } = await dynamo.send(
      new GetItemCommand({ TableName: table, Key: toKey(pk, sk), ConsistentRead: true }),
      signal === undefined ? {} : { abortSignal: signal },
    );
    return Item && fromItem(schema, Item);
  }

  /** @throws {TenantChanged} if a condition does not hold. */
  async function change(tenant: TenantId, ...writes: readonly TransactWriteItem[]): Promise<void> {
    const TransactItems = [...writes, noteWrite(table, [tenant])];
    try {
      await dynamo.send(new TransactWriteItemsCommand({ TransactItems }));
    } catch (cause) {
      if (!isOvertaken(cause)) throw cause;
      const message = `Tenant ${tenant} was changed by somebody else. Try again.`;
      throw new TenantChanged(message, { cause });
    }
  }

  const put = (pk: string, sk: string, record: object): TransactWriteItem => ({
    Put: { TableName: table, Item: toItem(pk, sk, record) },
  });
  const remove = (pk: string, sk: string): TransactWriteItem => ({
    Delete: { TableName: table, Key: toKey(pk, sk) },
  });

  async function putTenant(
    tenant: Omit<Tenant, 'version'>,
    previous: number,
    condition: Pick<Put, 'ConditionExpression'>,
  ): Promise<Tenant> {
    const stored = Tenant.parse({ ...tenant, version: previous + 1 });
    await change(tenant.id, { Put: { TableName: table, Item: tenantItem(stored), ...condition } });
    return stored;
  }

  async function scan<Out>(
    sk: string,
    parse: (item: Record<string, AttributeValue>) => Out,
  ): Promise<Out[]> {
    const pages = paginateScan(
      { client: dynamo },
      {
        TableName: table,
        ConsistentRead: true,
        FilterExpression: 'sk = :sk',
        ExpressionAttributeValues: { ':sk': { S: sk } },
      },
    );
    const found: Out[] = [];
    // Page by page: ten thousand records at once would hold up whoever else this process serves.
    for await (const { Items = [] } of pages) found.push(...Items.map(parse));
    return found;
  }

  async function allKeys(): Promise<StoredKey[]> {
    return scan(keyKey, (item) => ({
      hash: KeyHash.parse(item['pk']?.S?.slice(keyPrefix.length)),
      key: fromItem(KeyRecord, item),
    }));
  }

  return {
    ...createChangeLog(ports),
    ...createWriteNotes(ports),

    readTenant: (id, signal) => read(StoredTenant, tenantKey(id), recordKey, signal),

    async listTenants() {
      const tenants = await scan(recordKey, (item) => fromItem(StoredTenant, item));
      return tenants.sort((a, b) => (a.id < b.id ? -1 : 1));
    },

    writeTenant: (tenant, previous) => putTenant(tenant, previous, ifVersion(previous)),

    createTenant: (tenant, deleted) => putTenant(tenant, deleted?.version ?? 0, ifAbsent),

    deleteTenant({ id, shard, version }) {
      const Key = toKey(tenantKey(id), recordKey);
      return change(id, put(tenantKey(id), deletedKey, { shard, version }), {
        Delete: { TableName: table, Key, ...ifVersion(version) },
      });
    },

    readDeleted: (id) => read(DeletedTenant, tenantKey(id), deletedKey),

    readUser: (tenant, user, signal) =>
      read(StoredUser, tenantKey(tenant), userPrefix + user, signal),

    async listUsers(tenant) {
      const pages = paginateQuery(
        { client: dynamo },
        {
          TableName: table,
          ConsistentRead: true,
          KeyConditionExpression: 'pk = :pk AND begins_with(sk, :user)',
          ExpressionAttributeValues: {
            ':pk': { S: tenantKey(tenant) },
            ':user': { S: userPrefix },
          },
        },
      );
      return (await collect(pages)).map((item) => fromItem(StoredUser, item));
    },

    writeUser: (tenant, user) => change(tenant, put(tenantKey(tenant), userPrefix + user.id, user)),
    deleteUser: (tenant, user) => change(tenant, remove(tenantKey(tenant), userPrefix + user)),

    readKey: (hash, signal) => read(KeyRecord, keyPrefix + hash, keyKey, signal),
    writeKey: (hash, key) => change(key.tenant, put(keyPrefix + hash, keyKey, key)),

    async listKeys(tenant) {
      const keys = await allKeys();
      return keys
        .filter(({ key }) => key.tenant === tenant)
        .sort((a, b) => a.key.createdAt - b.key.createdAt);
    },

    async findKeys(hashPrefix) {
      return (await allKeys()).filter(({ hash }) => hash.startsWith(hashPrefix));
    },

    revokeKey: (hash, tenant) => change(tenant, remove(keyPrefix + hash, keyKey)),
  };
}

/** Of two transactions on one record at once, one is told so, as if it had come later. */
const isOvertaken = (cause: unknown): boolean =>
  cause instanceof TransactionCanceledException &&
  (cause.CancellationReasons ?? []).some(
    ({ Code }) => Code === 'ConditionalCheckFailed' || Code === 'TransactionConflict',
  );

async function collect(
  pages: AsyncIterable<{ readonly Items?: Record<string, AttributeValue>[] | undefined }>,
): Promise<Record<string, AttributeValue>[]> {
  const items: Record<string, AttributeValue>[] = [];
  for await (const page of pages) items.push(...(page.Items ?? []));
  return items;
}
