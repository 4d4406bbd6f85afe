/** Changes of many tenants: all or none, and the way back. */
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { TenantId, UserId } from '../../shared/ids.ts';
import { hashApiKey, newApiKey } from '../../shared/tenants/api-keys.ts';
import { applyTenants } from '../../shared/tenants/apply-tenants.ts';
import type { ChangeHead } from '../../shared/tenants/change-set.ts';
import { toEdits, planTenants } from '../../shared/tenants/plan-tenants.ts';
import { createTenantStore, type TenantStore } from '../../shared/tenants/tenant-store.ts';
import type { Tenant } from '../../shared/tenants/tenant.ts';
import { parseTenantsFile } from '../../shared/tenants/tenants-file.ts';
import { undoChange } from '../../shared/tenants/undo-change.ts';
import { startTestAws, type TestAws } from '../support/local-aws.ts';

let aws: TestAws;
let dynamo: DynamoDBClient;
let store: TenantStore;
const announced: Tenant[] = [];

beforeAll(async () => {
  aws = await startTestAws();
  dynamo = new DynamoDBClient(aws.access);
  store = createTenantStore({ dynamo, table: aws.resources.tenantsTable });
});

afterAll(async () => {
  dynamo.destroy();
  await aws[Symbol.asyncDispose]();
});

const ports = () => ({
  store,
  shards: 4,
  announce: async (tenant: Tenant) => void announced.push(tenant),
  countOutstanding: async () => 0,
});

const parse = (...lines: string[]) =>
  parseTenantsFile(`tenants:\n${lines.map((line) => `  - ${line}\n`).join('')}`);

async function apply(...lines: string[]): Promise<string> {
  const [first] = await applyTenants(parse(...lines), ports());
  return first?.changeSet ?? '';
}

async function undo(id: string, force = false): Promise<ChangeHead> {
  const set = await store.readChange(id);
  if (!set) throw new Error(`no change ${id}`);
  return undoChange(set, { force }, ports());
}

const read = (id: string) => store.readTenant(TenantId.parse(id));
const rateOf = async (id: string) => (await read(id))?.limits.requestsPerMinute;

describe('a tenants file', { timeout: 60_000 }, () => {
  test('is taken back whole: tenants, users, and what it created', async () => {
    await apply('{ id: one, limits: { requestsPerMinute: 10 }, users: [{ id: ann }] }');
    const change = await apply(
      '{ id: one, limits: { requestsPerMinute: 20 }, users: [{ id: ann, role: Viewer }, { id: bob }] }',
      '{ id: two, users: [{ id: cy }] }',
    );
    expect(await rateOf('one')).toBe(20);
    announced.length = 0;
    await undo(change);
    expect(await read('one')).toMatchObject({ version: 3, limits: { requestsPerMinute: 10 } });
    expect(await read('two')).toBeUndefined();
    expect(await store.listUsers(TenantId.parse('one'))).toEqual([
      { id: 'ann', role: 'User', permissions: [] },
    ]);
    expect(await store.listUsers(TenantId.parse('two'))).toEqual([]);
    const caps = new Map(announced.map(({ id, limits }) => [String(id), limits.concurrency]));
    expect(caps).toEqual(
      new Map([
        ['one', 10],
        ['two', 0],
      ]),
    );
  });

  test('goes back twice by undoing twice, and an undo can be undone', async () => {
    const first = await apply('{ id: steps, limits: { requestsPerMinute: 1 } }');
    const second = await apply('{ id: steps, limits: { requestsPerMinute: 2 } }');
    const third = await apply('{ id: steps, limits: { requestsPerMinute: 3 } }');
    const undone = await undo(third);
    await undo(second);
    expect(await rateOf('steps')).toBe(1);
    await expect(undo(third)).rejects.toThrow('not as the change left it');
    await expect(undo(third, true)).rejects.toThrow('undone already');
    await undo(first);
    expect(await read('steps')).toBeUndefined();
    await undo(undone.id, true);
    expect(await read('steps')).toMatchObject({ version: 7, limits: { requestsPerMinute: 3 } });
  });

  test('is refused whole if somebody changes one of its tenants meanwhile', async () => {
    await apply('{ id: calm }', '{ id: contended }');
    const edits = (
      await planTenants(parse('{ id: calm, weight: 2 }', '{ id: contended, weight: 2 }'), ports())
    ).flatMap(toEdits);
    const contended = await read('contended');
    if (!contended) throw new Error('was written');
    await store.writeTenant({ ...contended, weight: 7 }, contended.version);
    await expect(store.commitChange(edits, { by: 'a test', what: 'late' })).rejects.toThrow(
      'Somebody else has changed tenant contended.',
    );
    expect(await read('calm')).toMatchObject({ version: 1, weight: 1 });
    expect(await read('contended')).toMatchObject({ version: 2, weight: 7 });
  });

  test('is not undone over what somebody has changed since, unless by force', async () => {
    await apply('{ id: since }');
    const change = await apply('{ id: since, weight: 2, users: [{ id: ann }] }');
    const now = await read('since');
    if (!now) throw new Error('was written');
    await store.writeTenant({ ...now, weight: 5 }, now.version);
    await expect(undo(change)).rejects.toThrow(
      'Tenant since is not as the change left it.\nNothing was changed.',
    );
    expect(await read('since')).toMatchObject({ weight: 5 });
    await undo(change, true);
    expect(await read('since')).toMatchObject({ weight: 1, version: 4 });
    expect(await store.listUsers(now.id)).toEqual([]);
  });

  test('that created a tenant is undone with its keys by force alone', async () => {
    const change = await apply('{ id: keyed, users: [{ id: ann }] }');
    const tenant = TenantId.parse('keyed');
    const hash = hashApiKey(newApiKey());
    await store.writeKey(hash, { tenant, user: UserId.parse('ann'), createdAt: Date.now() });
    await expect(undo(change)).rejects.toThrow('Tenant keyed has 1 API keys by now.');
    await undo(change, true);
    expect(await read('keyed')).toBeUndefined();
    expect(await store.readKey(hash)).toBeUndefined();
  });

  test('of more records than a transaction takes is taken back where a later part is refused', async () => {
    const many = Array.from({ length: 60 }, (_, at) => `{ id: many-${at}, users: [{ id: ann }] }`);
    const edits = (await planTenants(parse(...many), ports())).flatMap(toEdits);
    await apply('{ id: many-59 }');
    const late = store.commitChange(edits, { by: 'a test', what: 'many' });
    await expect(late).rejects.toThrow(
      'Somebody else has changed tenant many-59. What was written before was taken back',
    );
    expect(await read('many-0')).toBeUndefined();
    const left = (await store.listTenants()).filter(({ id }) => id.startsWith('many-'));
    expect(left.map(({ id }) => id)).toEqual(['many-59']);
    const all = await apply(...many);
    expect((await store.readChange(all))?.partsWritten).toBe(2);
    await undo(all);
    expect(await read('many-0')).toBeUndefined();
    expect(await read('many-59')).toBeDefined();
  });

  test('is listed, newest first, with who made it', async () => {
    const change = await apply('{ id: listed }');
    for await (const head of store.listChanges()) {
      expect(head).toMatchObject({ id: change, by: 'operator', what: 'tenants file', tenants: 1 });
      break;
    }
  });
});
