import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { createAuditLog } from '../../shared/audit/audit-log.ts';
import { clusterSettings } from '../../shared/config/cluster.ts';
import { readConfig } from '../../shared/config/setting.ts';
import { TenantId } from '../../shared/ids.ts';
import { callTool, resultOf, type Endpoint } from '../support/call.ts';
import { startTestCluster, type TestCluster } from '../support/cluster.ts';
import { createKey } from '../support/keys.ts';

const tenants = `
tenants:
  - { id: acme, limits: { requestsPerMinute: 3 }, users: [{ id: ann }, { id: vic, role: Viewer }] }
`;
const secret = 'sesame-open-3141';

let cluster: TestCluster;
let ann: Endpoint;
let vic: Endpoint;

beforeAll(async () => {
  cluster = await startTestCluster({ tenants });
  ann = { mcp: cluster.mcp, apiKey: await createKey(cluster, 'acme', 'ann') };
  vic = { mcp: cluster.mcp, apiKey: await createKey(cluster, 'acme', 'vic') };
});
afterAll(() => cluster[Symbol.asyncDispose]());

async function readEntries() {
  const dynamo = new DynamoDBClient(cluster.aws);
  const { auditTable } = readConfig(clusterSettings, {});
  const log = createAuditLog({ dynamo, table: auditTable });
  const entries = [];
  for await (const page of log.pages(TenantId.parse('acme'))) {
    entries.push(...page.entries.map((text): unknown => JSON.parse(text)));
  }
  dynamo.destroy();
  return entries;
}

describe('the audit of a tenant', () => {
  test('says of each call who made it, by which key, and how it was decided and ended', async () => {
    await resultOf(ann, 'kv_set', { key: secret, value: secret });
    await callTool(vic, 'kv_set', { key: secret, value: secret });
    await callTool(ann, 'kv_nix', {});
    await callTool(ann, 'kv_get', { key: 7 });
    await resultOf(ann, 'kv_get', { key: secret });
    await resultOf(ann, 'kv_get', { key: secret });
    await callTool(ann, 'kv_get', { key: secret });

    await expect.poll(readEntries, { timeout: 10_000 }).toHaveLength(7);
    const entries = await readEntries();
    const credential = expect.stringMatching(/^key [0-9a-f]{12}$/);
    const call = { action: 'tools/call', credential };
    const allowed = { ...call, decision: 'allowed', outcome: 'completed' };
    const refused = { ...call, decision: 'refused' };
    expect(entries).toMatchObject([
      { ...allowed, user: 'ann', subject: 'kv_set', invocation: expect.stringMatching(/^i-/) },
      { ...refused, user: 'vic', subject: 'kv_set', rule: 'unknown_tool' },
      { ...refused, user: 'ann', subject: 'unknown tool', rule: 'unknown_tool' },
      { ...refused, user: 'ann', subject: 'kv_get', rule: 'invalid_arguments' },
      { ...allowed, user: 'ann', subject: 'kv_get' },
      { ...allowed, user: 'ann', subject: 'kv_get' },
      { ...refused, user: 'ann', subject: 'kv_get', rule: 'quota_exceeded' },
    ]);
    expect(JSON.stringify(entries)).not.toContain(secret);
  });
});
