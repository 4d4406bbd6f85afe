import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { TenantId, UserId } from '../../../shared/ids.ts';
import { hashApiKey, newApiKey } from '../../../shared/tenants/api-keys.ts';
import { applyTenants } from '../../../shared/tenants/apply-tenants.ts';
import { createTenantDirectory } from '../../../shared/tenants/directory.ts';
import {
  publishTenantChange,
  subscribeTenantChanges,
} from '../../../shared/tenants/tenant-changes.ts';
import { TenantChanged } from '../../../shared/tenants/tenant-items.ts';
import { createTenantStore, type TenantStore } from '../../../shared/tenants/tenant-store.ts';
import { parseTenantsFile } from '../../../shared/tenants/tenants-file.ts';
import { startTestAws, type TestAws } from '../../support/local-aws.ts';
import { startTestRedis, type TestRedis } from '../../support/redis.ts';

let aws: TestAws;
let redis: TestRedis;
let publisher: Redis;
let subscriber: Redis;
let dynamo: DynamoDBClient;
let store: TenantStore;

beforeAll(async () => {
  [aws, redis] = await Promise.all([startTestAws(), startTestRedis()]);
  publisher = new Redis(redis.url);
  subscriber = new Redis(redis.url);
  dynamo = new DynamoDBClient(aws.access);
  store = createTenantStore({ dynamo, table: aws.resources.tenantsTable });
});

afterAll(async () => {
  publisher.disconnect();
  subscriber.disconnect();
  dynamo.destroy();
  await Promise.all([aws[Symbol.asyncDispose](), redis[Symbol.asyncDispose]()]);
});

const ann = UserId.parse('ann');

async function apply(text: string) {
  return applyTenants(parseTenantsFile(`tenants:\n${text}`), {
    store,
    announce: (tenant) => publishTenantChange(publisher, tenant.id),
    shards: 4,
  });
}

async function addKey(tenant: TenantId, expiresAt?: number) {
  const hash = hashApiKey(newApiKey());
  await store.writeKey(hash, { tenant, user: ann, createdAt: Date.now(), expiresAt });
  return hash;
}

describe('the tenant store', () => {
  test('reads back what it wrote, and lists it', async () => {
    const id = TenantId.parse('stored');
    await apply('  - { id: stored, weight: 2, users: [{ id: ann, role: Viewer }, { id: bob }] }');
    expect(await store.readTenant(id)).toMatchObject({ id, weight: 2, version: 1 });
    expect(await store.readUser(id, ann)).toEqual({ id: 'ann', role: 'Viewer', permissions: [] });
    expect((await store.listUsers(id)).map((user) => user.id)).toEqual(['ann', 'bob']);
    expect((await store.listTenants()).map((tenant) => tenant.id)).toContain('stored');
    await store.deleteUser(id, ann);
    expect(await store.readUser(id, ann)).toBeUndefined();
    expect(await store.readTenant(TenantId.parse('nobody'))).toBeUndefined();
  });

  test('refuses to overwrite a change that the writer has not seen', async () => {
    await apply('  - { id: contended }');
    const tenant = await store.readTenant(TenantId.parse('contended'));
    if (!tenant) throw new Error('was written');
    expect(await store.writeTenant({ ...tenant, weight: 3 }, 1)).toMatchObject({ version: 2 });
    await expect(store.writeTenant({ ...tenant, weight: 4 }, 1)).rejects.toThrow(TenantChanged);
    await expect(store.writeTenant(tenant, 0)).rejects.toThrow(TenantChanged);
  });

  test("lists a tenant's keys and nobody else's, and forgets a revoked one", async () => {
    const [one, other] = [TenantId.parse('one'), TenantId.parse('other')];
    const hash = await addKey(one);
    await addKey(other);
    expect((await store.listKeys(one)).map((key) => key.hash)).toEqual([hash]);
    await store.revokeKey(hash, one);
    expect(await store.readKey(hash)).toBeUndefined();
    expect(await store.listKeys(one)).toEqual([]);
  });
});

describe('applying a tenants file', () => {
  test('creates, leaves alone what is the same, and counts each change', async () => {
    const file = '  - { id: applied, limits: { concurrency: 3 }, users: [{ id: ann }] }';
    const id = TenantId.parse('applied');
    expect(await apply(file)).toMatchObject([{ id, change: 'created', version: 1, users: 1 }]);
    expect(await apply(file)).toMatchObject([{ id, change: 'unchanged', version: 1, users: 0 }]);
    expect(await apply('  - { id: applied }')).toMatchObject([
      { id, change: 'changed', version: 2, users: 0 },
    ]);
    expect((await store.readTenant(id))?.limits.concurrency).toBe(10);
  });

  test('keeps the shard of a tenant and users that the file does not name', async () => {
    const id = TenantId.parse('sharded');
    await apply('  - { id: sharded, users: [{ id: ann }] }');
    const before = await store.readTenant(id);
    for (let weight = 2; weight < 6; weight += 1) {
      await apply(`  - { id: sharded, weight: ${weight}, users: [{ id: bob }] }`);
      expect((await store.readTenant(id))?.shard).toBe(before?.shard);
    }
    expect((await store.listUsers(id)).map((user) => user.id)).toEqual(['ann', 'bob']);
  });
});

describe('the tenant directory', () => {
  async function openDirectory(overrides: Partial<TenantStore> = {}) {
    const directory = createTenantDirectory({ store: { ...store, ...overrides } });
    const stop = await subscribeTenantChanges(subscriber, (change) => directory.invalidate(change));
    return { directory, [Symbol.dispose]: stop };
  }

  test('finds the principal behind a key, and none behind an unknown or expired one', async () => {
    await apply('  - { id: found, users: [{ id: ann, role: Viewer }] }');
    const id = TenantId.parse('found');
    using open = await openDirectory();
    const { directory } = open;
    expect(await directory.findKey(await addKey(id))).toMatchObject({
      tenant: { id: 'found' },
      user: { id: 'ann', role: 'Viewer' },
    });
    expect(await directory.findKey(await addKey(id, Date.now() - 1))).toBeUndefined();
    expect(await directory.findKey(hashApiKey(newApiKey()))).toBeUndefined();
    expect(await directory.find(id, UserId.parse('nobody'))).toBeUndefined();
  });

  test('finds a suspended tenant: that is for others to judge', async () => {
    await apply('  - { id: paused, status: suspended, users: [{ id: ann }] }');
    using open = await openDirectory();
    const found = await open.directory.find(TenantId.parse('paused'), ann);
    expect(found?.tenant.status).toBe('suspended');
  });

  test('accepts a new key and refuses a revoked one as soon as the change is announced', async () => {
    await apply('  - { id: keyed, users: [{ id: ann }] }');
    const id = TenantId.parse('keyed');
    using open = await openDirectory();
    const { directory } = open;
    const key = newApiKey();
    const hash = hashApiKey(key);
    expect(await directory.findKey(hash)).toBeUndefined();

    await store.writeKey(hash, { tenant: id, user: ann, createdAt: Date.now() });
    await publishTenantChange(publisher, id);
    await vi.waitFor(async () => expect(await directory.findKey(hash)).toBeDefined(), {
      timeout: 500,
      interval: 5,
    });

    await store.revokeKey(hash, id);
    await publishTenantChange(publisher, id);
    await vi.waitFor(async () => expect(await directory.findKey(hash)).toBeUndefined(), {
      timeout: 500,
      interval: 5,
    });
  });

  test('shows new limits as soon as the change is announced', async () => {
    await apply('  - { id: limited, users: [{ id: ann }] }');
    using open = await openDirectory();
    const { directory } = open;
    const capOf = async () =>
      (await directory.find(TenantId.parse('limited'), ann))?.tenant.limits.concurrency;
    expect(await capOf()).toBe(10);
    await apply('  - { id: limited, limits: { concurrency: 2 } }');
    await vi.waitFor(async () => expect(await capOf()).toBe(2), { timeout: 500, interval: 5 });
  });

  test('reads everything anew after its subscription was interrupted', async () => {
    await apply('  - { id: interrupted, users: [{ id: ann }] }');
    const readTenant = vi.fn<TenantStore['readTenant']>((id) => store.readTenant(id));
    using open = await openDirectory({ readTenant });
    const { directory } = open;
    const id = TenantId.parse('interrupted');
    await directory.find(id, ann);
    await directory.find(id, ann);
    expect(readTenant).toHaveBeenCalledTimes(1);
    const back = new Promise((resolve) => subscriber.once('ready', resolve));
    subscriber.disconnect(true);
    await back;
    await directory.find(id, ann);
    expect(readTenant).toHaveBeenCalledTimes(2);
  });

  test('faults as overloaded when records cannot be read and none are remembered', async () => {
    using open = await openDirectory({ readKey: () => Promise.reject(new Error('refused')) });
    await expect(open.directory.findKey(hashApiKey(newApiKey()))).rejects.toMatchObject({
      code: 'overloaded',
      retryAfterMs: 1_000,
    });
  });

  describe('while DynamoDB is away', () => {
    /** A store that can be taken away, and a clock. */
    function openShaky() {
      const state = { isAway: false, now: 0 };
      const guard =
        <Args extends unknown[], Result>(read: (...args: Args) => Promise<Result>) =>
        (...args: Args): Promise<Result> =>
          state.isAway ? Promise.reject(new Error('connect ECONNREFUSED')) : read(...args);
      const directory = createTenantDirectory({
        store: {
          readTenant: guard(store.readTenant.bind(store)),
          readUser: guard(store.readUser.bind(store)),
          readKey: guard(store.readKey.bind(store)),
        },
        now: () => state.now,
      });
      return { state, directory };
    }

    test('keeps the last good state for 30 seconds and admits nobody after that', async () => {
      await apply('  - { id: kept, users: [{ id: ann }] }');
      const hash = await addKey(TenantId.parse('kept'));
      const { state, directory } = openShaky();
      expect(await directory.findKey(hash)).toBeDefined();
      state.isAway = true;
      for (const now of [3_000, 10_000, 29_900]) {
        state.now = now;
        expect(await directory.findKey(hash)).toMatchObject({ tenant: { id: 'kept' } });
      }
      state.now = 32_000;
      await expect(directory.findKey(hash)).rejects.toMatchObject({ code: 'overloaded' });
      state.isAway = false;
      expect(await directory.findKey(hash)).toBeDefined();
    });

    test('admits nobody whom it has not seen before', async () => {
      await apply('  - { id: unseen, users: [{ id: ann }] }');
      const hash = await addKey(TenantId.parse('unseen'));
      const { state, directory } = openShaky();
      state.isAway = true;
      await expect(directory.findKey(hash)).rejects.toMatchObject({ code: 'overloaded' });
    });

    test('admits nobody by an answer from before an announced change', async () => {
      await apply('  - { id: changed, users: [{ id: ann }] }');
      const id = TenantId.parse('changed');
      const hash = await addKey(id);
      const { state, directory } = openShaky();
      expect(await directory.findKey(hash)).toBeDefined();
      state.isAway = true;
      directory.invalidate(id);
      await expect(directory.findKey(hash)).rejects.toMatchObject({ code: 'overloaded' });
    });
  });
});
