import { GetItemCommand, PutItemCommand } from '@aws-sdk/client-dynamodb';
import { PutEventsCommand } from '@aws-sdk/client-eventbridge';
import { GetObjectCommand, ListObjectsV2Command } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { withinLease } from '../../../shared/aws/lease-guard.ts';
import { TenantId, UserId } from '../../../shared/ids.ts';
import { createCalls, names, startLocalCloud, type LocalCloud } from './local-cloud.ts';

const tenantRole = 'arn:aws:iam::000000000000:role/agent-mesh-tenant';
const limit = 2 * 1024 * 1024;

let cloud: LocalCloud;
let calls: ReturnType<typeof createCalls>;
beforeAll(async () => {
  cloud = await startLocalCloud();
  calls = createCalls({ tenantRole });
});
afterAll(() => cloud[Symbol.asyncDispose]());

describe("under a tenant's own role", () => {
  test('every store works', async () => {
    const aws = () => calls.call();
    await aws().writeKv('k', 'v', undefined);
    expect(await aws().readKv('k')).toBe('v');
    await aws().writeArtifact('a b/ž', Buffer.from('x'), 'text/plain');
    expect(Buffer.from((await aws().readArtifact('a b/ž', limit)) ?? []).toString()).toBe('x');
    expect(await aws().listArtifacts('a b')).toEqual(['a b/ž']);
    await aws().sendEvent('order.placed', {});
  });

  test('what does not exist is missing, not forbidden', async () => {
    expect(await calls.call().readKv('never')).toBeUndefined();
    expect(await calls.call().readArtifact('never', limit)).toBeUndefined();
    await calls.call({ attempt: 2 }).writeArtifact('fresh', Buffer.from('x'), 'text/plain');
    expect(await calls.call().listArtifacts('fresh')).toEqual(['fresh']);
  });

  test('even a tool that asks for it gets nothing of another tenant', async () => {
    await cloud.call({ tenant: 'globex' }).writeKv('k', 'secret', undefined);
    await cloud.call({ tenant: 'globex' }).writeArtifact('k', Buffer.from('x'), 'text/plain');
    const acme = {
      tenant: TenantId.parse('acme'),
      user: UserId.parse('ann'),
      sequence: 1,
      attempt: 1,
      deadline: Date.now() + 60_000,
      signal: new AbortController().signal,
      assertLease: () => {},
    };
    const { dynamodb, s3, eventbridge } = calls.clients.for(acme.tenant);
    const { kvTable: TableName, artifactsBucket: Bucket, eventBus: EventBusName } = names;
    const Key = { tenant: { S: 'globex' }, sk: { S: 'kv#k' } };
    const forged = { EventBusName, Source: 'aws.ec2', DetailType: 'x', Detail: '{}' };
    const crossings = [
      () => dynamodb.send(new GetItemCommand({ TableName, Key })),
      () => dynamodb.send(new PutItemCommand({ TableName, Item: Key })),
      () => s3.send(new GetObjectCommand({ Bucket, Key: 'globex/k' })),
      () => s3.send(new ListObjectsV2Command({ Bucket, Prefix: 'globex/' })),
      () => s3.send(new ListObjectsV2Command({ Bucket })),
      () => eventbridge.send(new PutEventsCommand({ Entries: [forged] })),
    ];
    for (const crossing of crossings) {
      await expect(withinLease(acme, crossing)).rejects.toMatchObject({
        name: expect.stringMatching(/^AccessDenied/),
      });
    }
  });
});
