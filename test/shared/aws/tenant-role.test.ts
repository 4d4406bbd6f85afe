import { GetItemCommand, PutItemCommand, UpdateItemCommand } from '@aws-sdk/client-dynamodb';
import { PutEventsCommand } from '@aws-sdk/client-eventbridge';
import {
  DeleteObjectCommand,
  GetObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
} from '@aws-sdk/client-s3';
import { GetSecretValueCommand } from '@aws-sdk/client-secrets-manager';
import { getSignedUrl } from '@aws-sdk/s3-request-presigner';
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

  test('a tool reads the credentials of its own tenant', async () => {
    await cloud.call().credentials.put({ service: 'github', connection: 'work' }, 'of acme');
    expect(await calls.call().credentials.read('github', 'work')).toBe('of acme');
  });

  test('even a tool that asks for it gets nothing of another tenant', async () => {
    const globex = () => cloud.call({ tenant: 'globex' });
    await globex().writeKv('k', 'secret', undefined);
    await globex().writeArtifact('k', Buffer.from('x'), 'text/plain');
    await globex().credentials.put({ service: 'github', connection: 'work' }, 'of globex');
    const { clients } = calls;
    const { kvTable: TableName, artifactsBucket: Bucket, eventBus: EventBusName } = names;
    const { dynamodb, s3, eventbridge, secrets } = clients.for(TenantId.parse('acme'));
    const Key = { tenant: { S: 'globex' }, sk: { S: 'kv#k' } };
    const books = { tenant: { S: 'globex#meta' }, sk: { S: 'usage#kv' } };
    const forged = { EventBusName, Source: 'aws.ec2', DetailType: 'x', Detail: '{}' };
    const theirs = { Bucket, Key: 'globex/k' };
    const SecretId = 'mcp-credentials/globex/ann/github/work';
    const crossings: Readonly<Record<string, () => Promise<unknown>>> = {
      'read an item': () => dynamodb.send(new GetItemCommand({ TableName, Key })),
      'write an item': () => dynamodb.send(new PutItemCommand({ TableName, Item: Key })),
      'read the books': () => dynamodb.send(new GetItemCommand({ TableName, Key: books })),
      'change the books': () => dynamodb.send(new UpdateItemCommand({ TableName, Key: books })),
      'read an object': () => s3.send(new GetObjectCommand(theirs)),
      'put an object': () => s3.send(new PutObjectCommand({ ...theirs, Body: 'x' })),
      'delete an object': () => s3.send(new DeleteObjectCommand(theirs)),
      'list objects': () => s3.send(new ListObjectsV2Command({ Bucket, Prefix: 'globex/' })),
      'list all objects': () => s3.send(new ListObjectsV2Command({ Bucket })),
      'forge an event': () => eventbridge.send(new PutEventsCommand({ Entries: [forged] })),
      'read a credential': () => secrets.send(new GetSecretValueCommand({ SecretId })),
    };
    // Such a tool as nobody should write: it has the clients, and names what is not its tenant's.
    const call = aCall('acme');
    const outcomes = await Promise.all(
      Object.entries(crossings).map(async ([what, crossing]) => [
        what,
        await withinLease(call, crossing).then(
          () => 'done',
          (error: Error) => error.name.replace(/Exception$/, ''),
        ),
      ]),
    );
    expect(Object.fromEntries(outcomes)).toEqual(
      Object.fromEntries(Object.keys(crossings).map((what) => [what, 'AccessDenied'])),
    );
  });

  test("a URL that was signed for another tenant's artifact opens nothing", async () => {
    await cloud.call({ tenant: 'globex' }).writeArtifact('k', Buffer.from('x'), 'text/plain');
    const { signing } = calls.clients.for(TenantId.parse('acme'));
    const theirs = { Bucket: names.artifactsBucket, Key: 'globex/k' };
    const url = await getSignedUrl(signing, new GetObjectCommand(theirs), { expiresIn: 60 });
    expect((await fetch(url)).status).toBe(403);
    await calls.call().writeArtifact('k', Buffer.from('own'), 'text/plain');
    const own = await calls.call().signGet('k', 3_600);
    expect(await (await fetch(own.url)).text()).toBe('own');
    expect(own.expiresAt).toBeLessThanOrEqual(Date.now() + 3_600_000);
  });
});

function aCall(tenant: string) {
  return {
    tenant: TenantId.parse(tenant),
    user: UserId.parse('ann'),
    sequence: 1,
    attempt: 1,
    deadline: Date.now() + 60_000,
    signal: new AbortController().signal,
    assertLease: () => {},
  };
}
