import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createClientCache } from '../../../shared/aws/clients.ts';
import { TenantId } from '../../../shared/ids.ts';
import { createCalls, pointSdkAt, region } from './local-cloud.ts';
import { startScriptedCloud, type Asked, type ScriptedCloud } from './scripted-cloud.ts';

const role = 'arn:aws:iam::000000000000:role/agent-mesh-tenant';

let cloud: ScriptedCloud;
beforeAll(async () => {
  cloud = await startScriptedCloud();
  pointSdkAt(cloud.url);
});
afterAll(() => cloud[Symbol.asyncDispose]());

const isAssume = ({ body }: Asked) => body.includes('Action=AssumeRole');
const tenantOf = (asked: Asked) => new URLSearchParams(asked.body).get('Tags.member.1.Value') ?? '';
const keyOf = ({ headers }: Asked) => /Credential=([^/]+)/.exec(headers.authorization ?? '')?.[1];

/** Issues credentials whose key id is the tenant's name, good for so many minutes. */
const issue = (asked: Asked, minutes: number) => ({
  status: 200,
  headers: { 'content-type': 'text/xml' },
  body: `<AssumeRoleResponse><AssumeRoleResult><Credentials><AccessKeyId>AK-${tenantOf(asked)}</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken><Expiration>${new Date(Date.now() + minutes * 60_000).toISOString()}</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>`,
});
const answerWith = (minutes: number) =>
  cloud.answer((asked) =>
    isAssume(asked)
      ? issue(asked, minutes)
      : { status: 200, headers: { 'content-type': 'application/x-amz-json-1.0' }, body: '{}' },
  );

describe('the credentials of a tenant', () => {
  test('come from its role, tagged with its id, and sign its requests alone', async () => {
    answerWith(60);
    const calls = createCalls({ tenantRole: role });
    const tenants = ['acme', 'globex', 'x'.repeat(63)];
    await Promise.all(tenants.map((tenant) => calls.call({ tenant }).readKv(tenant)));

    for (const asked of cloud.asked.filter(isAssume)) {
      const form = new URLSearchParams(asked.body);
      expect(form.get('Tags.member.1.Key')).toBe('tenant');
      expect(form.get('RoleArn')).toBe(role);
      expect(form.get('RoleSessionName')).toMatch(/^[\w+=,.@-]{2,64}$/);
      expect(keyOf(asked)).toBe('test');
    }
    const gets = cloud.asked.filter((asked) => !isAssume(asked));
    expect(gets).toHaveLength(3);
    for (const asked of gets)
      expect(keyOf(asked)).toBe(`AK-${JSON.parse(asked.body).Key.tenant.S}`);
  });

  test('are assumed once, however many calls and stores ask', async () => {
    answerWith(60);
    const calls = createCalls({ tenantRole: role });
    await Promise.all([
      calls.call().readKv('a'),
      calls.call().readKv('b'),
      calls.call().sendEvent('x', {}),
    ]);
    await calls.call().readKv('c');
    expect(cloud.asked.filter(isAssume)).toHaveLength(1);
  });

  test('are renewed before they expire, and the old ones serve while that fails', async () => {
    let fail = false;
    cloud.answer((asked) => {
      if (!isAssume(asked)) return { status: 200, body: '{}' };
      return fail ? { status: 400, body: '' } : issue(asked, 4);
    });
    const calls = createCalls({ tenantRole: role });
    await calls.call().readKv('a');
    await calls.call().readKv('b');
    expect(cloud.asked.filter(isAssume).length).toBeGreaterThan(1);
    fail = true;
    expect(await calls.call().readKv('c')).toBeUndefined();
  });

  test('that cannot be had are a fault that names no role', async () => {
    cloud.answer(() => ({
      status: 403,
      headers: { 'content-type': 'text/xml' },
      body: `<ErrorResponse><Error><Code>AccessDenied</Code><Message>${role}</Message></Error></ErrorResponse>`,
    }));
    await expect(createCalls({ tenantRole: role }).call().readKv('a')).rejects.toMatchObject({
      code: 'tool_failed',
      message: expect.not.stringContaining('arn:'),
    });
  });
});

describe('the clients of tenants', () => {
  const tenant = (n: number) => TenantId.parse(`t-${n}`);

  test('ask DynamoDB for what was written last, not for what a replica has', async () => {
    answerWith(60);
    await createCalls().call().readKv('k');
    expect(JSON.parse(cloud.asked[0]?.body ?? '')).toMatchObject({ ConsistentRead: true });
  });

  test('are kept for those who called last', () => {
    const cache = createClientCache({ region, maxTenants: 2 });
    const [one, two] = [cache.for(tenant(1)), cache.for(tenant(2))];
    expect(cache.for(tenant(1))).toBe(one);
    cache.for(tenant(3));
    expect(cache.for(tenant(1))).toBe(one);
    expect(cache.for(tenant(2))).not.toBe(two);
  });

  test('never end a running request when they leave the cache', async () => {
    const calls = createCalls({ maxTenants: 1 });
    cloud.answer(() => {
      calls.clients.for(tenant(99));
      return { status: 200, body: '{}' };
    });
    expect(await calls.call().readKv('k')).toBeUndefined();
    // A request cut off would have been sent again.
    expect(cloud.asked).toHaveLength(1);
  });

  test('share their sockets', async () => {
    answerWith(60);
    const calls = createCalls();
    const before = cloud.seen.connections;
    for (let n = 0; n < 5; n += 1) await calls.call({ tenant: `t-${n}` }).readKv('k');
    expect(cloud.seen.connections - before).toBe(1);
  });
});
