/** What ingress and worker ask of AWS under their own names. */
import {
  DeleteItemCommand,
  GetItemCommand,
  PutItemCommand,
  QueryCommand,
  ScanCommand,
  type DynamoDBClient,
} from '@aws-sdk/client-dynamodb';
import { GetSecretValueCommand, type SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import type { Check } from './check.ts';
import { mayDo, type Probe } from './probe.ts';

export interface AwsChecksPorts {
  readonly dynamo: DynamoDBClient;
  readonly secrets: SecretsManagerClient;
  readonly tenantsTable: string;
  readonly auditTable: string;
  readonly kvTable: string;
  readonly signingSecret: string;
}

/** Nobody has it: ids of tenants are in lower case. */
const Key = { pk: { S: 'DOCTOR' }, sk: { S: 'PROBE' } };
const never = { ConditionExpression: 'attribute_exists(pk)' };
const ofProbe = {
  KeyConditionExpression: 'pk = :pk',
  ExpressionAttributeValues: { ':pk': Key.pk },
};

export function ingressChecks(ports: AwsChecksPorts): readonly Check[] {
  const { tenantsTable, auditTable, kvTable, signingSecret, dynamo, secrets } = ports;
  const books = { tenant: { S: 'mesh-doctor#meta' }, sk: { S: 'usage#kv' } };
  const probes: readonly Probe[] = [
    read(tenantsTable, ports),
    query(tenantsTable, ports),
    {
      action: 'dynamodb:Scan',
      on: tenantsTable,
      send: () => dynamo.send(new ScanCommand({ TableName: tenantsTable, Limit: 1 })),
    },
    put(tenantsTable, ports),
    {
      action: 'dynamodb:DeleteItem',
      on: tenantsTable,
      send: () => dynamo.send(new DeleteItemCommand({ TableName: tenantsTable, Key, ...never })),
    },
    read(auditTable, ports),
    query(auditTable, ports),
    put(auditTable, ports),
    {
      action: 'dynamodb:GetItem',
      on: kvTable,
      send: () => dynamo.send(new GetItemCommand({ TableName: kvTable, Key: books })),
    },
    {
      action: 'secretsmanager:GetSecretValue',
      on: signingSecret,
      send: () => secrets.send(new GetSecretValueCommand({ SecretId: signingSecret })),
    },
  ];
  return probes.map((probe) => mayDo('ingress', probe));
}

/** What else it does, it does as a tenant. */
export function workerChecks(ports: AwsChecksPorts): readonly Check[] {
  return [mayDo('worker', read(ports.tenantsTable, ports))];
}

const read = (table: string, { dynamo }: AwsChecksPorts): Probe => ({
  action: 'dynamodb:GetItem',
  on: table,
  send: () => dynamo.send(new GetItemCommand({ TableName: table, Key })),
});

const query = (table: string, { dynamo }: AwsChecksPorts): Probe => ({
  action: 'dynamodb:Query',
  on: table,
  send: () => dynamo.send(new QueryCommand({ TableName: table, ...ofProbe })),
});

const put = (table: string, { dynamo }: AwsChecksPorts): Probe => ({
  action: 'dynamodb:PutItem',
  on: table,
  send: () => dynamo.send(new PutItemCommand({ TableName: table, Item: Key, ...never })),
});
