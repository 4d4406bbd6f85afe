import { describe, expect, test } from 'vitest';
import { TenantId } from '../../shared/ids.ts';
import { createKnownTenants } from '../../shared/tenants/known-tenants.ts';
import { Tenant } from '../../shared/tenants/tenant.ts';
import { createTenantLimits } from '../../shared/usage/tenant-limits.ts';

const acme = TenantId.parse('acme');
const record = (kvBytes: number, s3List = 10) =>
  Tenant.parse({ id: 'acme', name: 'Acme', shard: 3, limits: { kvBytes, aws: { s3List } } });

describe("a tenant's limits in a worker", () => {
  test('follow its record within 5 s, and at once if the change is announced', async () => {
    let stored = record(1);
    let now = 0;
    const store = { readTenant: () => Promise.resolve(stored) };
    const tenants = createKnownTenants({ store, now: () => now });
    const limits = createTenantLimits(tenants);
    expect(await limits.limitsOf(acme)).toMatchObject({ kvBytes: 1 });
    stored = record(2);
    now = 5_000;
    expect(await limits.limitsOf(acme)).toMatchObject({ kvBytes: 2 });
    stored = record(3, 20);
    tenants.invalidate('acme');
    expect(await limits.limitsOf(acme)).toMatchObject({ kvBytes: 3 });
    expect(await limits.ratesOf(acme)).toMatchObject({ shard: 3, aws: { s3List: 20, s3Put: 350 } });
  });

  test('are the last good ones for a while when the store fails; without any, nothing goes', async () => {
    let now = 0;
    let fails = false;
    const failure = new Error('no connection to 10.0.0.1');
    const store = {
      readTenant: () => (fails ? Promise.reject(failure) : Promise.resolve(record(1))),
    };
    const limits = createTenantLimits(createKnownTenants({ store, now: () => now }));
    await limits.limitsOf(acme);
    fails = true;
    now = 10_000;
    expect(await limits.limitsOf(acme)).toMatchObject({ kvBytes: 1 });
    now = 60_000;
    await expect(limits.limitsOf(acme)).rejects.toMatchObject({
      code: 'overloaded',
      message: expect.not.stringContaining('10.0.0.1'),
    });
  });

  test('of a tenant that is gone are no limits at all', async () => {
    const limits = createTenantLimits({ find: () => Promise.resolve(undefined) });
    await expect(limits.limitsOf(acme)).rejects.toMatchObject({ code: 'tenant_suspended' });
  });
});
