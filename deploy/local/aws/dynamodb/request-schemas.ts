/** Shapes that several DynamoDB operations share. Members are parsed strictly: legacy ones are refused by name. */
import { z } from 'zod';
import { isRecord } from './attribute-value.ts';

/** Read closely by `readItem`. A zod record would drop an attribute named `__proto__`. */
const attributeMap = z.custom<Record<string, unknown>>(isRecord, 'must be a map of attributes');

const names = { ExpressionAttributeNames: z.record(z.string(), z.string()).optional() };
const values = { ExpressionAttributeValues: attributeMap.optional() };

/** Asked for by clients, answered by nothing: the local AWS counts no capacity. */
const accounting = {
  ReturnConsumedCapacity: z.string().optional(),
  ReturnItemCollectionMetrics: z.string().optional(),
};

const conditional = {
  TableName: z.string(),
  ConditionExpression: z.string().optional(),
  ReturnValuesOnConditionCheckFailure: z.enum(['NONE', 'ALL_OLD']).optional(),
  ...names,
  ...values,
};

const PutMembers = { ...conditional, Item: attributeMap };
const KeyedMembers = { ...conditional, Key: attributeMap };
const UpdateMembers = { ...KeyedMembers, UpdateExpression: z.string().optional() };

const oldOnly = z.enum(['NONE', 'ALL_OLD']).optional();

export const PutItem = z.strictObject({ ...PutMembers, ...accounting, ReturnValues: oldOnly });
export const DeleteItem = z.strictObject({ ...KeyedMembers, ...accounting, ReturnValues: oldOnly });
export const UpdateItem = z.strictObject({
  ...UpdateMembers,
  ...accounting,
  ReturnValues: z.enum(['NONE', 'ALL_OLD', 'UPDATED_OLD', 'ALL_NEW', 'UPDATED_NEW']).optional(),
});

const read = {
  Key: attributeMap,
  ProjectionExpression: z.string().optional(),
  ...names,
};

export const GetItem = z.strictObject({
  TableName: z.string(),
  ...read,
  ...accounting,
  ConsistentRead: z.boolean().optional(),
});

export const BatchGetItem = z.strictObject({
  RequestItems: z.record(
    z.string(),
    z.strictObject({
      Keys: z.array(attributeMap).min(1).max(100),
      ProjectionExpression: z.string().optional(),
      ConsistentRead: z.boolean().optional(),
      ...names,
    }),
  ),
  ...accounting,
});

export const BatchWriteItem = z.strictObject({
  RequestItems: z.record(
    z.string(),
    z
      .array(
        z.union([
          z.strictObject({ PutRequest: z.strictObject({ Item: attributeMap }) }),
          z.strictObject({ DeleteRequest: z.strictObject({ Key: attributeMap }) }),
        ]),
      )
      .min(1)
      .max(25),
  ),
  ...accounting,
});

export const TransactWriteItems = z.strictObject({
  TransactItems: z
    .array(
      z.union([
        z.strictObject({ Put: z.strictObject(PutMembers) }),
        z.strictObject({ Update: z.strictObject(UpdateMembers) }),
        z.strictObject({ Delete: z.strictObject(KeyedMembers) }),
        z.strictObject({ ConditionCheck: z.strictObject(KeyedMembers) }),
      ]),
    )
    .min(1)
    .max(100),
  ClientRequestToken: z.string().min(1).max(36).optional(),
  ...accounting,
});

export const TransactGetItems = z.strictObject({
  TransactItems: z
    .array(z.strictObject({ Get: z.strictObject({ TableName: z.string(), ...read }) }))
    .min(1)
    .max(100),
  ...accounting,
});

const listing = {
  TableName: z.string(),
  IndexName: z.string().optional(),
  FilterExpression: z.string().optional(),
  ProjectionExpression: z.string().optional(),
  Select: z
    .enum(['ALL_ATTRIBUTES', 'ALL_PROJECTED_ATTRIBUTES', 'COUNT', 'SPECIFIC_ATTRIBUTES'])
    .optional(),
  Limit: z.number().int().min(1).optional(),
  ExclusiveStartKey: attributeMap.optional(),
  ConsistentRead: z.boolean().optional(),
  ...names,
  ...values,
  ...accounting,
};

export const Query = z.strictObject({
  ...listing,
  KeyConditionExpression: z.string(),
  ScanIndexForward: z.boolean().optional(),
});

export const Scan = z.strictObject({
  ...listing,
  Segment: z.number().int().min(0).optional(),
  TotalSegments: z.number().int().min(1).max(1_000_000).optional(),
});
