import { setTimeout as sleep } from 'node:timers/promises';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { TenantId, UserId } from '../../../shared/ids.ts';
import { hashApiKey, newApiKey } from '../../../shared/tenants/api-keys.ts';
import { followWrites } from '../../../shared/tenants/follow-writes.ts';
import { everyTenant } from '../../../shared/tenants/tenant-changes.ts';
import { createTenantStore, type TenantStore } from '../../../shared/tenants/tenant-store.ts';
import { Tenant, User } from '../../../shared/tenants/tenant.ts';
import { startTestAws, type TestAws } from '../../support/local-aws.ts';

let aws: TestAws;
let dynamo: DynamoDBClient;
let store: TenantStore;

beforeAll(async () => {
  aws = await startTestAws();
  dynamo = new DynamoDBClient(aws.access);
  store = createTenantStore({ dynamo, table: aws.resources.tenantsTable });
});

afterAll(async () => {
  dynamo.destroy();
  await aws[Symbol.asyncDispose]();
});

const aTenant = (id: string) => Tenant.omit({ version: true }).parse({ id, name: id, shard: 0 });

/** Follows, and collects what it tells. */
function follow(readWrites: TenantStore['readWrites'] = (since) => store.readWrites(since)) {
  const told: string[] = [];
  const problems: string[] = [];
  const follower = followWrites({
    store: { readWrites },
    onChange: (change) => told.push(change),
    onProblem: (what) => problems.push(what),
  });
  const confirmed = async (): Promise<void> => {
    const from = performance.now();
    await vi.waitFor(() => expect(follower.confirmedAt()).toBeGreaterThan(from), 10_000);
  };
  return { told, problems, follower, confirmed, [Symbol.dispose]: () => follower.close() };
}

describe('who follows the writes of tenants', () => {
  test('is told of every kind of write, although nobody announces it, and once', async () => {
    using following = follow();
    const writes: readonly [string, (tenant: TenantId) => Promise<unknown>][] = [
      ['created', () => store.createTenant(aTenant('created'))],
      ['with-user', (id) => store.writeUser(id, User.parse({ id: 'ann' }))],
      ['without-user', (id) => store.deleteUser(id, UserId.parse('ann'))],
      [
        'with-key',
        (tenant) =>
          store.writeKey(hashApiKey(newApiKey()), {
            tenant,
            user: UserId.parse('ann'),
            createdAt: Date.now(),
          }),
      ],
      ['without-key', (id) => store.revokeKey(hashApiKey(newApiKey()), id)],
      ['deleted', async () => store.deleteTenant(await store.createTenant(aTenant('deleted')))],
    ];
    for (const [id, write] of writes) await write(TenantId.parse(id));
    await following.confirmed();
    await following.confirmed();
    expect(following.told.toSorted()).toEqual(writes.map(([id]) => id).toSorted());
  });

  test('is told that everything may have changed where notes are too many to read', async () => {
    const notes = Array.from({ length: 1_000 }, (_, i) => ({ id: `${i}`, tenants: [`t-${i}`] }));
    using following = follow(() => Promise.resolve({ notes, isWhole: false }));
    await following.confirmed();
    expect(following.told).toEqual([everyTenant]);
  });

  test('does not look while nobody asks, and misses nothing of that time', async () => {
    let looks = 0;
    using following = follow((since) => {
      looks += 1;
      return store.readWrites(since);
    });
    await following.confirmed();
    const { length } = following.told;
    await store.createTenant(aTenant('meanwhile'));
    const before = looks;
    // One look may be wanted still.
    await sleep(4_000);
    expect(looks).toBeLessThanOrEqual(before + 1);
    await following.confirmed();
    expect(following.told.slice(length)).toEqual(['meanwhile']);
  });

  test('confirms nothing while the store fails, says so once, and goes on by itself', async () => {
    let fails = true;
    let looks = 0;
    using following = follow((since) => {
      looks += 1;
      return fails ? Promise.reject(new Error('away')) : store.readWrites(since);
    });
    const confirmedAt = (): number => following.follower.confirmedAt();
    await vi.waitFor(() => expect([confirmedAt(), looks]).toEqual([-Infinity, 2]), 10_000);
    expect(confirmedAt()).toBe(Number.NEGATIVE_INFINITY);
    expect(following.problems).toHaveLength(1);
    fails = false;
    await following.confirmed();
  });
});

test('a tenant store that is refused a write leaves no note of it', async () => {
  const since = Date.now();
  await store.createTenant(aTenant('refused'));
  await expect(store.createTenant(aTenant('refused'))).rejects.toThrow('changed by somebody else');
  const { notes } = await store.readWrites(since);
  expect(notes.filter(({ tenants }) => tenants.includes('refused'))).toHaveLength(1);
});
