/** How records of tenants and users lie in their table, and on what conditions they are written. */
import type { AttributeValue } from '@aws-sdk/client-dynamodb';
import type { z } from 'zod';
import type { TenantId } from '../ids.ts';
import { AwsRates, Limits, Tenant, User } from './tenant.ts';

/** What is left of a tenant. Work and traces of it may still be on its shard. */
export const DeletedTenant = Tenant.pick({ shard: true, version: true }).strip();
export type DeletedTenant = z.output<typeof DeletedTenant>;

/** A record is not, or not any more, what its writer has read. */
export class TenantChanged extends Error {
  override readonly name = 'TenantChanged';
}

// A newer build may have written fields that this one does not know.
const StoredLimits = Limits.extend({ aws: AwsRates.strip().prefault({}) }).strip();
export const StoredTenant = Tenant.extend({ limits: StoredLimits.prefault({}) }).strip();
export const StoredUser = User.strip();

export type Item = Record<string, AttributeValue>;

export const recordKey = 'RECORD';
export const deletedKey = 'DELETED';
export const userPrefix = 'USER#';
export const tenantKey = (id: TenantId): string => `TENANT#${id}`;

export function toKey(pk: string, sk: string): Item {
  return { pk: { S: pk }, sk: { S: sk } };
}

export function toItem(pk: string, sk: string, record: object): Item {
  return { ...toKey(pk, sk), record: { S: JSON.stringify(record) } };
}

/** Its version stands beside the record, so that a write can be conditional on it. */
export function tenantItem(tenant: Tenant): Item {
  const version = { N: String(tenant.version) };
  return { ...toItem(tenantKey(tenant.id), recordKey, tenant), version };
}

/** @throws {z.ZodError} or {SyntaxError} if the item is not a record that this build reads. */
export function fromItem<Schema extends z.ZodType>(schema: Schema, item: Item): z.output<Schema> {
  return schema.parse(JSON.parse(item['record']?.S ?? 'null'));
}

export const ifAbsent = { ConditionExpression: 'attribute_not_exists(pk)' };

export function ifVersion(version: number) {
  return {
    ConditionExpression: '#version = :version',
    ExpressionAttributeNames: { '#version': 'version' },
    ExpressionAttributeValues: { ':version': { N: String(version) } },
  };
}
