/** Signatures, sessions, and what a session of one tenant may not do. */
import * as D from '@aws-sdk/client-dynamodb';
import { PutEventsCommand } from '@aws-sdk/client-eventbridge';
import * as S from '@aws-sdk/client-s3';
import { CreateSecretCommand, GetSecretValueCommand } from '@aws-sdk/client-secrets-manager';
import { SendMessageCommand } from '@aws-sdk/client-sqs';
import {
  AssumeRoleCommand,
  GetCallerIdentityCommand,
  GetSessionTokenCommand,
} from '@aws-sdk/client-sts';
import { getSignedUrl } from '@aws-sdk/s3-request-presigner';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  aDataDir,
  clientsOf,
  refusal,
  rootCredentials,
  startAws,
  tenantCredentials,
  tenantRole,
  type Clients,
} from './support.ts';

const TableName = 'agent-mesh-kv';
const Bucket = 'agent-mesh-artifacts';
const item = (tenant: string, sk = 'kv#a') => ({ tenant: { S: tenant }, sk: { S: sk } });

let aws: Awaited<ReturnType<typeof startAws>>;
let acme: Clients;
beforeAll(async () => {
  aws = await startAws();
  await aws.dynamodb.send(
    new D.CreateTableCommand({
      TableName,
      BillingMode: 'PAY_PER_REQUEST',
      AttributeDefinitions: [
        { AttributeName: 'tenant', AttributeType: 'S' },
        { AttributeName: 'sk', AttributeType: 'S' },
      ],
      KeySchema: [
        { AttributeName: 'tenant', KeyType: 'HASH' },
        { AttributeName: 'sk', KeyType: 'RANGE' },
      ],
    }),
  );
  await aws.s3.send(new S.CreateBucketCommand({ Bucket }));
  for (const tenant of ['acme', 'globex']) {
    await aws.dynamodb.send(new D.PutItemCommand({ TableName, Item: item(tenant) }));
    await aws.s3.send(new S.PutObjectCommand({ Bucket, Key: `${tenant}/a`, Body: tenant }));
    await aws.secrets.send(
      new CreateSecretCommand({ Name: `mcp-credentials/${tenant}/api`, SecretString: tenant }),
    );
  }
  acme = await aws.asTenant('acme');
});
afterAll(() => aws[Symbol.asyncDispose]());

const denied = (answer: Promise<unknown>) => refusal(answer, 'AccessDeniedException');
const deniedByS3 = (answer: Promise<unknown>) => refusal(answer, 'AccessDenied');

describe('a session of a tenant', () => {
  test('works with its own items, and those in its meta partition', async () => {
    for (const tenant of ['acme', 'acme#meta']) {
      const Key = item(tenant, 'kv#own');
      await acme.dynamodb.send(new D.PutItemCommand({ TableName, Item: Key }));
      await acme.dynamodb.send(new D.GetItemCommand({ TableName, Key }));
      await acme.dynamodb.send(new D.UpdateItemCommand({ TableName, Key }));
      await acme.dynamodb.send(
        new D.QueryCommand({
          TableName,
          KeyConditionExpression: '#t = :t AND begins_with(sk, :s)',
          FilterExpression: 'attribute_not_exists(#f) OR #f > :f',
          ExpressionAttributeNames: { '#t': 'tenant', '#f': 'flag' },
          ExpressionAttributeValues: { ':t': { S: tenant }, ':s': { S: 'kv#' }, ':f': { N: '1' } },
        }),
      );
      await acme.dynamodb.send(
        new D.TransactWriteItemsCommand({
          TransactItems: [
            { ConditionCheck: { TableName, Key, ConditionExpression: 'attribute_exists(sk)' } },
            { Put: { TableName, Item: item(tenant, 'kv#tx') } },
          ],
        }),
      );
      await acme.dynamodb.send(
        new D.BatchWriteItemCommand({
          RequestItems: { [TableName]: [{ DeleteRequest: { Key } }] },
        }),
      );
    }
  });

  test('never reaches the items of another', async () => {
    const Key = item('globex');
    await denied(acme.dynamodb.send(new D.GetItemCommand({ TableName, Key })));
    await denied(acme.dynamodb.send(new D.PutItemCommand({ TableName, Item: Key })));
    await denied(acme.dynamodb.send(new D.UpdateItemCommand({ TableName, Key })));
    await denied(acme.dynamodb.send(new D.DeleteItemCommand({ TableName, Key })));
    await denied(
      acme.dynamodb.send(
        new D.QueryCommand({
          TableName,
          KeyConditionExpression: 'tenant = :t',
          ExpressionAttributeValues: { ':t': { S: 'globex' } },
        }),
      ),
    );
    await denied(
      acme.dynamodb.send(
        new D.BatchGetItemCommand({ RequestItems: { [TableName]: { Keys: [item('acme'), Key] } } }),
      ),
    );
    await denied(
      acme.dynamodb.send(
        new D.TransactWriteItemsCommand({
          TransactItems: [
            { Put: { TableName, Item: item('acme', 'kv#b') } },
            { ConditionCheck: { TableName, Key, ConditionExpression: 'attribute_exists(sk)' } },
          ],
        }),
      ),
    );
    await denied(
      acme.dynamodb.send(
        new D.TransactGetItemsCommand({ TransactItems: [{ Get: { TableName, Key } }] }),
      ),
    );
  });

  test('never scans, and administers nothing', async () => {
    await denied(acme.dynamodb.send(new D.ScanCommand({ TableName })));
    await denied(acme.dynamodb.send(new D.DescribeTableCommand({ TableName })));
    await denied(
      acme.dynamodb.send(new D.GetItemCommand({ TableName: 'none', Key: item('acme') })),
    );
    await denied(acme.sqs.send(new SendMessageCommand({ QueueUrl: 'q', MessageBody: 'x' })));
    await deniedByS3(acme.s3.send(new S.ListBucketsCommand({})));
    await deniedByS3(acme.s3.send(new S.CreateBucketCommand({ Bucket: 'mine' })));
  });

  test('works with its own objects, whatever their keys', async () => {
    for (const Key of [
      'acme/*',
      'acme/?',
      'acme/a\nb',
      'acme/${aws:PrincipalTag/tenant}',
      'acme/é/../globex',
    ]) {
      await acme.s3.send(new S.PutObjectCommand({ Bucket, Key, Body: 'x' }));
      await acme.s3.send(new S.GetObjectCommand({ Bucket, Key }));
      await acme.s3.send(new S.DeleteObjectCommand({ Bucket, Key }));
    }
    await acme.s3.send(new S.ListObjectsV2Command({ Bucket, Prefix: 'acme/' }));
  });

  test('never reaches the objects of another', async () => {
    const Key = 'globex/a';
    await deniedByS3(acme.s3.send(new S.GetObjectCommand({ Bucket, Key })));
    await deniedByS3(acme.s3.send(new S.PutObjectCommand({ Bucket, Key, Body: 'x' })));
    await deniedByS3(acme.s3.send(new S.DeleteObjectCommand({ Bucket, Key })));
    await deniedByS3(
      acme.s3.send(
        new S.CopyObjectCommand({ Bucket, Key: 'acme/b', CopySource: `${Bucket}/${Key}` }),
      ),
    );
    for (const Prefix of [undefined, '', 'globex/', 'acme', 'ac']) {
      await deniedByS3(acme.s3.send(new S.ListObjectsV2Command({ Bucket, Prefix })));
    }
    const { Errors } = await acme.s3.send(
      new S.DeleteObjectsCommand({ Bucket, Delete: { Objects: [{ Key }, { Key: 'acme/none' }] } }),
    );
    expect(Errors?.map(({ Key: key, Code }) => [key, Code])).toEqual([[Key, 'AccessDenied']]);
    const url = await getSignedUrl(acme.s3, new S.GetObjectCommand({ Bucket, Key }), {
      expiresIn: 60,
    });
    expect((await fetch(url)).status).toBe(403);
    const { Body } = await aws.s3.send(new S.GetObjectCommand({ Bucket, Key }));
    expect(await Body?.transformToString()).toBe('globex');
  });

  test('is not told that an object is missing, as S3 does without ListBucket on the whole', async () => {
    await deniedByS3(acme.s3.send(new S.GetObjectCommand({ Bucket, Key: 'acme/missing' })));
  });

  test('presigns its own objects', async () => {
    const url = await getSignedUrl(acme.s3, new S.GetObjectCommand({ Bucket, Key: 'acme/a' }), {
      expiresIn: 60,
    });
    expect(await (await fetch(url)).text()).toBe('acme');
  });

  test('reads and writes its own credentials and no others', async () => {
    const read = (tenant: string) =>
      acme.secrets.send(new GetSecretValueCommand({ SecretId: `mcp-credentials/${tenant}/api` }));
    expect((await read('acme')).SecretString).toBe('acme');
    await denied(read('globex'));
    await denied(read('nobody'));
    const create = (Name: string) =>
      acme.secrets.send(new CreateSecretCommand({ Name, SecretString: 'x' }));
    await create('mcp-credentials/acme/x');
    await denied(create('mcp-credentials/globex/x'));
    await denied(create('elsewhere/acme'));
  });

  test('publishes as the mesh, on its bus alone', async () => {
    const publish = (EventBusName: string, Source: string) =>
      acme.eventbridge.send(
        new PutEventsCommand({
          Entries: [{ EventBusName, Source, DetailType: 'x', Detail: '{}' }],
        }),
      );
    await publish('agent-mesh-events', 'agent-mesh');
    await denied(publish('agent-mesh-events', 'aws.s3'));
    await denied(publish('default', 'agent-mesh'));
  });

  test('cannot shed its tag by assuming a role again', async () => {
    const Tags = [{ Key: 'tenant', Value: 'globex' }];
    const input = { RoleArn: tenantRole, RoleSessionName: 'again', Tags };
    await refusal(acme.sts.send(new AssumeRoleCommand(input)), 'AccessDenied');
  });

  test('may be confined further by a policy of its own', async () => {
    const assume = (Policy: object) =>
      aws.sts.send(
        new AssumeRoleCommand({
          RoleArn: tenantRole,
          RoleSessionName: 'narrow',
          Tags: [{ Key: 'tenant', Value: 'acme' }],
          Policy: JSON.stringify(Policy),
        }),
      );
    const { Credentials } = await assume({
      Version: '2012-10-17',
      Statement: [{ Effect: 'Allow', Action: 's3:GetObject', Resource: '*' }],
    });
    const narrow = clientsOf(aws.url, {
      accessKeyId: Credentials?.AccessKeyId ?? '',
      secretAccessKey: Credentials?.SecretAccessKey ?? '',
      sessionToken: Credentials?.SessionToken ?? '',
    });
    await narrow.s3.send(new S.GetObjectCommand({ Bucket, Key: 'acme/a' }));
    await deniedByS3(narrow.s3.send(new S.GetObjectCommand({ Bucket, Key: 'globex/a' })));
    await deniedByS3(narrow.s3.send(new S.DeleteObjectCommand({ Bucket, Key: 'acme/a' })));
    await refusal(
      assume({
        Version: '2012-10-17',
        Statement: [{ Effect: 'Allow', NotAction: 's3:*', Resource: '*' }],
      }),
      'MalformedPolicyDocumentException',
    );
  });
});

describe('AssumeRole', () => {
  test('says who was assumed, and until when', async () => {
    const answer = await aws.sts.send(
      new AssumeRoleCommand({
        RoleArn: tenantRole,
        RoleSessionName: 'tenant-acme',
        Tags: [{ Key: 'tenant', Value: 'acme' }],
        TransitiveTagKeys: ['tenant'],
        DurationSeconds: 900,
      }),
    );
    expect(answer.AssumedRoleUser?.Arn).toBe(
      'arn:aws:sts::000000000000:assumed-role/agent-mesh-tenant/tenant-acme',
    );
    const seconds = ((answer.Credentials?.Expiration?.getTime() ?? 0) - Date.now()) / 1_000;
    expect(seconds).toBeGreaterThan(890);
    expect(seconds).toBeLessThanOrEqual(900);
  });

  test('needs the tag of a tenant, and takes no other', async () => {
    for (const Tags of [[], [{ Key: 'other', Value: 'x' }], [{ Key: 'tenant', Value: '' }]]) {
      const input = { RoleArn: tenantRole, RoleSessionName: 'untagged', Tags };
      await refusal(aws.sts.send(new AssumeRoleCommand(input)), 'AccessDenied');
    }
  });

  test('tells every caller who it is', async () => {
    expect(await aws.sts.send(new GetCallerIdentityCommand({}))).toMatchObject({
      Account: '000000000000',
      Arn: 'arn:aws:iam::000000000000:root',
    });
    const { Arn } = await acme.sts.send(new GetCallerIdentityCommand({}));
    expect(Arn).toMatch(/:assumed-role\/agent-mesh-tenant\/tenant-acme$/);
  });

  test('outlives a restart of the local AWS', async () => {
    const dataDir = aDataDir();
    const first = await startAws(dataDir);
    const credentials = await tenantCredentials(first.url, 'acme');
    await first.close();
    await using second = await startAws(dataDir);
    const { sts } = clientsOf(second.url, credentials);
    await sts.send(new GetCallerIdentityCommand({}));
  });

  test('is all there is besides GetCallerIdentity', async () => {
    const error = await refusal(
      aws.sts.send(new GetSessionTokenCommand({})),
      'UnknownOperationException',
    );
    expect(error.message).toContain('GetSessionToken');
  });
});

describe('signatures', () => {
  const list = (clients: Clients) => clients.dynamodb.send(new D.ScanCommand({ TableName }));
  const listS3 = (clients: Clients) => clients.s3.send(new S.ListBucketsCommand({}));

  test('of unknown keys are refused', async () => {
    const stranger = clientsOf(aws.url, { ...rootCredentials, accessKeyId: 'AKIASTRANGER' });
    await refusal(list(stranger), 'UnrecognizedClientException');
    await refusal(listS3(stranger), 'InvalidAccessKeyId');
    await refusal(stranger.sts.send(new GetCallerIdentityCommand({})), 'InvalidClientTokenId');
  });

  test('with a wrong secret are refused', async () => {
    const forger = clientsOf(aws.url, { ...rootCredentials, secretAccessKey: 'guess' });
    await refusal(list(forger), 'InvalidSignatureException');
    await refusal(listS3(forger), 'SignatureDoesNotMatch');
  });

  test('of a session need its token', async () => {
    const { sessionToken: _, ...keys } = await tenantCredentials(aws.url, 'acme');
    await refusal(list(clientsOf(aws.url, keys)), 'UnrecognizedClientException');
    const other = clientsOf(aws.url, { ...keys, sessionToken: 'other' });
    await refusal(list(other), 'UnrecognizedClientException');
  });

  test('are needed', async () => {
    const headers = { 'x-amz-target': 'DynamoDB_20120810.ListTables' };
    expect((await fetch(aws.url, { method: 'POST', body: '{}', headers })).status).toBe(403);
    expect((await fetch(`${aws.url}/${Bucket}/acme/a`)).status).toBe(403);
  });

  test('of another time are refused', async () => {
    const late = new D.DynamoDBClient({
      region: 'us-west-2',
      endpoint: aws.url,
      credentials: rootCredentials,
      maxAttempts: 1,
      systemClockOffset: -3_600_000,
    });
    await refusal(late.send(new D.ScanCommand({ TableName })), 'InvalidSignatureException');
  });
});
