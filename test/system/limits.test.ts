import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { callTool, resultOf, type Endpoint } from '../support/call.ts';
import { startTestCluster, type TestCluster } from '../support/cluster.ts';
import { createKey } from '../support/keys.ts';

const many = 'requestsPerMinute: 100000, userRequestsPerMinute: 100000';
const tenants = `
tenants:
  - id: small
    limits: { ${many}, kvBytes: 1000, artifacts: 2, aws: { s3List: 1 }, tools: { usage_get: 2 } }
    users: [{ id: ann, role: Admin }]
`;

let cluster: TestCluster;
let ann: Endpoint;

beforeAll(async () => {
  cluster = await startTestCluster({ workers: 2, tenants });
  ann = { mcp: cluster.mcp, apiKey: await createKey(cluster, 'small', 'ann') };
});
afterAll(() => cluster[Symbol.asyncDispose]());

async function faultOf(tool: string, args: Readonly<Record<string, unknown>>): Promise<unknown> {
  return (await callTool(ann, tool, args)).message?.result?._meta?.['agent-mesh/fault'];
}

describe('limits of a tenant record hold in the workers', () => {
  test('for bytes of values, and a deletion makes room', async () => {
    await resultOf(ann, 'kv_set', { key: 'a', value: 'x'.repeat(700) });
    expect(await faultOf('kv_set', { key: 'b', value: 'x'.repeat(700) })).toBe('storage_full');
    await resultOf(ann, 'kv_delete', { key: 'a' });
    await resultOf(ann, 'kv_set', { key: 'b', value: 'x'.repeat(700) });
    expect(await resultOf(ann, 'kv_list', {})).toMatchObject({ keys: [{ key: 'b' }] });
  });

  test('for artifacts', async () => {
    const content = Buffer.from('x').toString('base64');
    for (const key of ['a', 'b', 'a']) await resultOf(ann, 'artifacts_put', { key, content });
    expect(await faultOf('artifacts_put', { key: 'c', content })).toBe('storage_full');
    expect(await resultOf(ann, 'usage_get', {})).toMatchObject({
      artifacts: { used: 2, limit: 2 },
      kv_bytes: { limit: 1_000 },
    });
  });

  test('for requests a second to AWS, over all workers', async () => {
    const answers = await Promise.all(
      Array.from({ length: 6 }, () => faultOf('artifacts_list', {})),
    );
    expect(answers).toContain('quota_exceeded');
    expect(answers).toContain(undefined);
  });

  test('for requests a minute to one tool', async () => {
    await callTool(ann, 'usage_get', {});
    expect(await faultOf('usage_get', {})).toBe('quota_exceeded');
    await resultOf(ann, 'kv_get', { key: 'b' });
  });
});

describe('credentials', () => {
  test('are stored, named, deleted, and never read back', async () => {
    const name = { service: 'crm', connection: 'main' };
    await resultOf(ann, 'credentials_put', { ...name, secret: { token: 'sesame' } });
    const { text } = await callTool(ann, 'credentials_list', {});
    expect(text).toContain('crm');
    expect(text).not.toContain('sesame');
    expect(await resultOf(ann, 'credentials_delete', name)).toEqual({ deleted: true });
    expect(await resultOf(ann, 'credentials_list', {})).toEqual({ credentials: [] });
  });
});
