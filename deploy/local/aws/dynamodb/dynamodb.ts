/** DynamoDB: the operations by name, each with what it needs the right to. */
import { z } from 'zod';
import type { Account } from '../account.ts';
import type { Journal } from '../journal.ts';
import { operation, type JsonService } from '../operation.ts';
import {
  batchGetItem,
  batchWriteItem,
  readOne,
  transactGetItems,
  transactWriter,
  toWrite,
} from './batches.ts';
import { itemAccess } from './item-access.ts';
import { query, scan } from './query.ts';
import * as schemas from './request-schemas.ts';
import { createTables, TableDefinition, type Table } from './tables.ts';
import { startSweeping } from './time-to-live.ts';
import { deleteItem, putItem, updateItem, type Write } from './writes.ts';

export interface DynamoDb {
  readonly service: JsonService;
  close(): void;
}

const tableOnly = z.strictObject({ TableName: z.string() });
const CreateTable = z.strictObject({
  ...TableDefinition.shape,
  ProvisionedThroughput: z.unknown().optional(),
  Tags: z.unknown().optional(),
});
const UpdateTimeToLive = z.strictObject({
  TableName: z.string(),
  TimeToLiveSpecification: z.strictObject({ AttributeName: z.string(), Enabled: z.boolean() }),
});

const actions: Readonly<Record<Write['kind'], string>> = {
  put: 'dynamodb:PutItem',
  update: 'dynamodb:UpdateItem',
  delete: 'dynamodb:DeleteItem',
  check: 'dynamodb:ConditionCheckItem',
};

export function createDynamoDb(journal: Journal, account: Account): DynamoDb {
  const tables = createTables(journal);
  const access = itemAccess(tables, account);
  const transactWrite = transactWriter(journal, tables);
  const describe = (table: Table) => description(table, account);

  const service: JsonService = {
    target: 'DynamoDB_20120810',
    prefix: 'dynamodb',
    contentType: 'application/x-amz-json-1.0',
    errorNamespace: 'com.amazonaws.dynamodb.v20120810#',
    emptyBody: '{}',
    operations: {
      CreateTable: operation(CreateTable, {
        run: (input) => ({
          TableDescription: describe(tables.create(TableDefinition.parse(input))),
        }),
      }),
      DescribeTable: operation(tableOnly, {
        run: ({ TableName }) => ({ Table: describe(tables.get(TableName)) }),
      }),
      UpdateTimeToLive: operation(UpdateTimeToLive, {
        run({ TableName, TimeToLiveSpecification }) {
          const { AttributeName, Enabled } = TimeToLiveSpecification;
          tables.setTtlAttribute(tables.get(TableName), Enabled ? AttributeName : undefined);
          return { TimeToLiveSpecification };
        },
      }),
      DescribeTimeToLive: operation(tableOnly, {
        run({ TableName }) {
          const { ttlAttribute } = tables.get(TableName).definition;
          return {
            TimeToLiveDescription: ttlAttribute
              ? { TimeToLiveStatus: 'ENABLED', AttributeName: ttlAttribute }
              : { TimeToLiveStatus: 'DISABLED' },
          };
        },
      }),
      GetItem: operation(schemas.GetItem, {
        needs: ({ TableName, Key }, action) => [access.items(action, TableName, [Key])],
        run: (input) => readOne(tables, input),
      }),
      PutItem: operation(schemas.PutItem, {
        needs: ({ TableName, Item }, action) => [access.items(action, TableName, [Item])],
        run: (input) => putItem(tables, input),
      }),
      UpdateItem: operation(schemas.UpdateItem, {
        needs: ({ TableName, Key }, action) => [access.items(action, TableName, [Key])],
        run: (input) => updateItem(tables, input),
      }),
      DeleteItem: operation(schemas.DeleteItem, {
        needs: ({ TableName, Key }, action) => [access.items(action, TableName, [Key])],
        run: (input) => deleteItem(tables, input),
      }),
      Query: operation(schemas.Query, {
        needs: (input, action) => [access.query(action, input)],
        run: (input) => query(tables, input),
      }),
      Scan: operation(schemas.Scan, { run: (input) => scan(tables, input) }),
      BatchGetItem: operation(schemas.BatchGetItem, {
        needs: ({ RequestItems }, action) =>
          Object.entries(RequestItems).map(([name, { Keys }]) => access.items(action, name, Keys)),
        run: (input) => batchGetItem(tables, input),
      }),
      BatchWriteItem: operation(schemas.BatchWriteItem, {
        needs: ({ RequestItems }, action) =>
          Object.entries(RequestItems).map(([name, requests]) => {
            const keys = requests.map((request) =>
              'PutRequest' in request ? request.PutRequest.Item : request.DeleteRequest.Key,
            );
            return access.items(action, name, keys);
          }),
        run: (input) => batchWriteItem(tables, input),
      }),
      TransactGetItems: operation(schemas.TransactGetItems, {
        needs: ({ TransactItems }) =>
          TransactItems.map(({ Get }) =>
            access.items('dynamodb:GetItem', Get.TableName, [Get.Key]),
          ),
        run: (input) => transactGetItems(tables, input),
      }),
      TransactWriteItems: operation(schemas.TransactWriteItems, {
        needs: ({ TransactItems }) =>
          TransactItems.map(toWrite).map((write) => {
            const key = write.kind === 'put' ? write.Item : write.Key;
            return access.items(actions[write.kind], write.TableName, [key]);
          }),
        run: transactWrite,
      }),
    },
  };
  return { service, close: startSweeping(tables) };
}

function description(table: Table, account: Account): object {
  const { createdAt, id, ttlAttribute: _, BillingMode, ...definition } = table.definition;
  const arn = account.arn('dynamodb', `table/${definition.TableName}`);
  return {
    ...definition,
    TableId: id,
    TableArn: arn,
    TableStatus: 'ACTIVE',
    CreationDateTime: createdAt,
    ItemCount: table.items.size,
    BillingModeSummary: { BillingMode },
    ProvisionedThroughput: { ReadCapacityUnits: 0, WriteCapacityUnits: 0 },
    GlobalSecondaryIndexes: definition.GlobalSecondaryIndexes?.map((index) => ({
      ...index,
      IndexStatus: 'ACTIVE',
      IndexArn: `${arn}/index/${index.IndexName}`,
    })),
  };
}
