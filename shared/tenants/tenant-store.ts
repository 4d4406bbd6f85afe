/**
 * Records of tenants, users and API keys in one DynamoDB table:
 *
 *     TENANT#<id>    RECORD         the tenant
 *     TENANT#<id>    USER#<user>    one of its users
 *     KEY#<sha256>   KEY            whom an API key stands for
 *
 * Each item holds its record as JSON. Reads are strongly consistent and parsed; no cache here,
 * `directory.ts` has one. Rejects with the SDK's own exceptions.
 */
import {
  ConditionalCheckFailedException,
  DeleteItemCommand,
  GetItemCommand,
  PutItemCommand,
  paginateQuery,
  paginateScan,
  type AttributeValue,
  type DynamoDBClient,
} from '@aws-sdk/client-dynamodb';
import type { z } from 'zod';
import { KeyHash, KeyRecord } from './api-keys.ts';
import type { TenantId, UserId } from '../ids.ts';
import { Limits, Tenant, User } from './tenant.ts';

export interface TenantStore {
  readTenant(id: TenantId, signal?: AbortSignal): Promise<Tenant | undefined>;
  listTenants(): Promise<readonly Tenant[]>;

  /**
   * Stores the tenant with a version one above `previous` (0: it is new) and resolves with it.
   * @throws {TenantChanged} if the stored version is another one by now.
   */
  writeTenant(tenant: Omit<Tenant, 'version'>, previous: number): Promise<Tenant>;

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
  revokeKey(hash: KeyHash): Promise<void>;
}

interface StoredKey {
  readonly hash: KeyHash;
  readonly key: KeyRecord;
}

export class TenantChanged extends Error {
  override readonly name = 'TenantChanged';
}

// A newer build may have written fields that this one does not know.
const StoredTenant = Tenant.extend({ limits: Limits.strip().prefault({}) }).strip();
const StoredUser = User.strip();

const recordKey = 'RECORD';
const userPrefix = 'USER#';
const keyPrefix = 'KEY#';
const keyKey = 'KEY';
const tenantKey = (id: TenantId): string => `TENANT#${id}`;

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

  async function write(pk: string, sk: string, record: object): Promise<void> {
    await dynamo.send(new PutItemCommand({ TableName: table, Item: toItem(pk, sk, record) }));
  }

  async function remove(pk: string, sk: string): Promise<void> {
    await dynamo.send(new DeleteItemCommand({ TableName: table, Key: toKey(pk, sk) }));
  }

  async function scan(sk: string): Promise<Record<string, AttributeValue>[]> {
    return collect(
      paginateScan(
        { client: dynamo },
        {
          TableName: table,
          ConsistentRead: true,
          FilterExpression: 'sk = :sk',
          ExpressionAttributeValues: { ':sk': { S: sk } },
        },
      ),
    );
  }

  async function allKeys(): Promise<StoredKey[]> {
    return (await scan(keyKey)).map((item) => ({
      hash: KeyHash.parse(item['pk']?.S?.slice(keyPrefix.length)),
      key: fromItem(KeyRecord, item),
    }));
  }

  return {
    readTenant: (id, signal) => read(StoredTenant, tenantKey(id), recordKey, signal),

    async listTenants() {
      const tenants = (await scan(recordKey)).map((item) => fromItem(StoredTenant, item));
      return tenants.sort((a, b) => (a.id < b.id ? -1 : 1));
    },

    async writeTenant(tenant, previous) {
      const stored = Tenant.parse({ ...tenant, version: previous + 1 });
      try {
        await dynamo.send(
          new PutItemCommand({
            TableName: table,
            Item: {
              ...toItem(tenantKey(tenant.id), recordKey, stored),
              version: { N: String(stored.version) },
            },
            ...(previous === 0
              ? { ConditionExpression: 'attribute_not_exists(pk)' }
              : {
                  ConditionExpression: '#version = :previous',
                  ExpressionAttributeNames: { '#version': 'version' },
                  ExpressionAttributeValues: { ':previous': { N: String(previous) } },
                }),
          }),
        );
      } catch (cause) {
        if (!(cause instanceof ConditionalCheckFailedException)) throw cause;
        throw new TenantChanged(`Tenant ${tenant.id} was changed by somebody else. Try again.`, {
          cause,
        });
      }
      return stored;
    },

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

    writeUser: (tenant, user) => write(tenantKey(tenant), userPrefix + user.id, user),
    deleteUser: (tenant, user) => remove(tenantKey(tenant), userPrefix + user),

    readKey: (hash, signal) => read(KeyRecord, keyPrefix + hash, keyKey, signal),
    writeKey: (hash, key) => write(keyPrefix + hash, keyKey, key),

    async listKeys(tenant) {
      const keys = await allKeys();
      return keys
        .filter(({ key }) => key.tenant === tenant)
        .sort((a, b) => a.key.createdAt - b.key.createdAt);
    },

    async findKeys(hashPrefix) {
      return (await allKeys()).filter(({ hash }) => hash.startsWith(hashPrefix));
    },

    revokeKey: (hash) => remove(keyPrefix + hash, keyKey),
  };
}

function toKey(pk: string, sk: string): Record<string, AttributeValue> {
  return { pk: { S: pk }, sk: { S: sk } };
}

function toItem(pk: string, sk: string, record: object): Record<string, AttributeValue> {
  return { ...toKey(pk, sk), record: { S: JSON.stringify(record) } };
}

/** @throws {z.ZodError} or {SyntaxError} if the item is not a record that this build reads. */
function fromItem<Schema extends z.ZodType>(
  schema: Schema,
  item: Record<string, AttributeValue>,
): z.output<Schema> {
  return schema.parse(JSON.parse(item['record']?.S ?? 'null'));
}

async function collect(
  pages: AsyncIterable<{ readonly Items?: Record<string, AttributeValue>[] | undefined }>,
): Promise<Record<string, AttributeValue>[]> {
  const items: Record<string, AttributeValue>[] = [];
  for await (const page of pages) items.push(...(page.Items ?? []));
  return items;
}
