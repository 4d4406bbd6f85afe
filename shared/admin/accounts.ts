/**
 * Who may use the console: operators, who may change things, and viewers, who may look. One item
 * for each in the tenants table, all in one partition:
 *
 *     ADMINS    ADMIN#<name>    role, and the SHA-256 of the token that was shown once
 *
 * 256 random bits need no slower hash.
 */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import {
  ConditionalCheckFailedException,
  DeleteItemCommand,
  paginateQuery,
  PutItemCommand,
  type AttributeValue,
  type DynamoDBClient,
} from '@aws-sdk/client-dynamodb';
import { z } from 'zod';
import { UserId } from '../ids.ts';

export const AdminRole = z.enum(['operator', 'viewer']);
export type AdminRole = z.output<typeof AdminRole>;

export const AdminAccount = z.object({
  name: UserId,
  role: AdminRole,
  tokenHash: z.string(),
  /** Epoch ms. */
  createdAt: z.number(),
});
export type AdminAccount = z.output<typeof AdminAccount>;

/** Rejects with the SDK's own exceptions. */
export interface AdminAccounts {
  list(): Promise<readonly AdminAccount[]>;
  /** False if there is one of that name. */
  add(account: AdminAccount): Promise<boolean>;
  remove(name: UserId): Promise<void>;
  /** Whose token this is. */
  find(token: string): Promise<AdminAccount | undefined>;
}

const partition = 'ADMINS';
const tokenBytes = 32;

/** `ama_` and 32 random bytes in base64url. */
export function newAdminToken(): string {
  return `ama_${randomBytes(tokenBytes).toString('base64url')}`;
}

export function hashAdminToken(token: string): string {
  return createHash('sha256').update(token).digest('hex');
}

export function createAdminAccounts(ports: {
  readonly dynamo: DynamoDBClient;
  readonly table: string;
}): AdminAccounts {
  const { dynamo, table: TableName } = ports;

  async function list(): Promise<readonly AdminAccount[]> {
    const accounts: AdminAccount[] = [];
    const pages = paginateQuery(
      { client: dynamo },
      {
        TableName,
        ConsistentRead: true,
        KeyConditionExpression: 'pk = :pk',
        ExpressionAttributeValues: { ':pk': { S: partition } },
      },
    );
    for await (const { Items = [] } of pages) accounts.push(...Items.map(fromItem));
    return accounts;
  }

  return {
    list,

    async add(account) {
      const Item = { ...toKey(account.name), record: { S: JSON.stringify(account) } };
      try {
        await dynamo.send(
          new PutItemCommand({
            TableName,
            Item,
            ConditionExpression: 'attribute_not_exists(pk)',
          }),
        );
        return true;
      } catch (error) {
        if (error instanceof ConditionalCheckFailedException) return false;
        throw error;
      }
    },

    async remove(name) {
      await dynamo.send(new DeleteItemCommand({ TableName, Key: toKey(name) }));
    },

    async find(token) {
      const wanted = Buffer.from(hashAdminToken(token));
      return (await list()).find(({ tokenHash }) => {
        const known = Buffer.from(tokenHash);
        return known.length === wanted.length && timingSafeEqual(known, wanted);
      });
    },
  };
}

function toKey(name: UserId): Record<string, AttributeValue> {
  return { pk: { S: partition }, sk: { S: `ADMIN#${name}` } };
}

function fromItem(item: Record<string, AttributeValue>): AdminAccount {
  return AdminAccount.parse(JSON.parse(item['record']?.S ?? 'null'));
}
