import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { describe, expect, test } from 'vitest';
import { parseCredentialsFile } from '../../deploy/local/aws-access.ts';
import { callTool } from '../../deploy/local/first-call.ts';
import { TenantId } from '../../shared/ids.ts';
import { tamper } from '../audit/an-audit.ts';
import { mesh, useUp } from '../support/mesh.ts';

const mine = useUp();

async function run(...args: string[]) {
  return mesh(...args, '--data', mine.data);
}

async function applyFile(text: string) {
  const file = join(mine.data, 'tenants.yaml');
  await writeFile(file, text);
  return run('tenants', 'apply', file);
}

describe('the cli', { timeout: 60_000 }, () => {
  test('makes a tenant and a key that works at once, and a revoked key stops at once', async () => {
    const applied = await applyFile('tenants:\n  - id: acme\n    users: [{ id: ann }]\n');
    expect(applied).toMatchObject({ code: 0, stderr: '' });
    expect(applied.stdout).toBe('ID    CHANGE   VERSION  USERS\nacme  created  1        1\n');

    const created = await run(
      'keys',
      'create',
      '--tenant',
      'acme',
      '--user',
      'ann',
      '--expires',
      '30d',
    );
    expect(created.stdout).toMatch(/^am_[\w-]{43}\n$/);
    const apiKey = created.stdout.trim();
    const call = { mcp: mine.up.mcp, apiKey, tool: 'kv_get', arguments: { key: 'none' } };
    expect(await callTool(call)).toEqual({ value: null });

    const listed = await run('keys', 'list', '--tenant', 'acme', '--json');
    const [key] = JSON.parse(listed.stdout);
    expect(key).toMatchObject({ user: 'ann', state: 'valid' });
    expect(listed.stdout).not.toContain(apiKey);
    expect(await run('keys', 'revoke', key.id)).toMatchObject({ code: 0 });
    await expect(callTool(call)).rejects.toThrow('401');
  });

  test('lists and shows tenants for people and for machines', async () => {
    await applyFile(
      'tenants:\n  - id: shown\n    weight: 2\n    users: [{ id: bob, role: Viewer }]\n',
    );
    const list = await run('tenants', 'list');
    expect(list.stdout).toMatch(/^ID +NAME +STATUS +CONCURRENCY +WEIGHT +SHARD +VERSION\n/);
    expect(list.stdout).toMatch(/^demo-tenant +Demo +active +10 +1 +0 +1$/m);
    const shown = await run('tenants', 'show', 'shown', '--json');
    expect(JSON.parse(shown.stdout)).toMatchObject({
      id: 'shown',
      weight: 2,
      users: [{ id: 'bob', role: 'Viewer' }],
    });
  });

  test('changes a tenant, suspends and deletes it, and keeps account of each', async () => {
    await applyFile('tenants:\n  - id: live\n    users: [{ id: ann }, { id: bob }]\n');
    expect((await run('tenants', 'set', 'live', 'limits.concurrency=5', 'weight=2')).stdout).toBe(
      'Tenant live has version 2 now: limits.concurrency=5 weight=2\n',
    );
    const apiKey = (await run('keys', 'create', '--tenant', 'live', '--user', 'ann')).stdout.trim();
    const call = { mcp: mine.up.mcp, apiKey, tool: 'kv_get', arguments: { key: 'none' } };
    expect(await callTool(call)).toEqual({ value: null });

    expect((await run('tenants', 'suspend', 'live')).stdout).toBe(
      'Tenant live is now suspended.\n',
    );
    await expect(callTool(call)).rejects.toThrow('403');
    expect((await run('tenants', 'resume', 'live')).stdout).toBe('Tenant live is now active.\n');
    expect(await callTool(call)).toEqual({ value: null });

    expect((await run('users', 'remove', 'ann', '--tenant', 'live')).stdout).toBe(
      'Removed ann and 1 key.\n',
    );
    await expect(callTool(call)).rejects.toThrow('401');
    expect((await run('users', 'list', '--tenant', 'live')).stdout).toMatch(
      /^USER.*\nbob +User\n$/,
    );
    expect(await run('tenants', 'delete', 'live')).toEqual({
      code: 0,
      stderr: '',
      stdout:
        'Deleted tenant live, 1 user and 0 keys.\nIts values and artifacts, its credentials and its audit stay.\n',
    });

    const audit = await run('audit', 'tail', '--tenant', 'live', '--json');
    const entries = audit.stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line))
      .filter((entry) => entry.user === 'operator');
    expect(entries.map(({ action }) => action)).toEqual([
      'tenants/create',
      'tenants/update',
      'keys/create',
      'tenants/suspend',
      'tenants/resume',
      'users/remove',
      'tenants/delete',
    ]);
    expect(audit.stdout).not.toContain(apiKey);
    expect((await run('audit', 'verify', '--tenant', 'live')).stdout).toMatch(
      /^The audit of live is whole: \d+ entries, 1 to \d+\.\n$/,
    );
  });

  test('finds an entry of the audit that somebody has changed, and names it', async () => {
    await applyFile('tenants:\n  - id: altered\n');
    await run('tenants', 'set', 'altered', 'weight=2');
    await run('tenants', 'set', 'altered', 'weight=3');
    const credentials = parseCredentialsFile(
      await readFile(join(mine.data, 'aws-credentials'), 'utf8'),
    );
    const dynamo = new DynamoDBClient({
      region: 'us-west-2',
      endpoint: mine.up.aws ?? '',
      credentials,
    });
    await tamper({ dynamo }, TenantId.parse('altered'), 2, ([entry = '']) => [
      entry.replace('weight=2', 'weight=9'),
    ]);
    dynamo.destroy();
    expect(await run('audit', 'verify', '--tenant', 'altered')).toEqual({
      code: 1,
      stdout: '',
      stderr:
        'error: The audit of altered is broken: entry 2 was changed: its hash does not fit.\n',
    });
  });

  test('refuses a bad file whole, by line and field', async () => {
    const { code, stdout, stderr } = await applyFile(
      'tenants:\n  - id: half\n  - id: other\n    limits: { concurrency: -1 }\n',
    );
    expect(code).toBe(1);
    expect(stdout).toBe('');
    expect(stderr).toMatch(/^error: \S+tenants\.yaml: line 4, tenants\[1\]\.limits\.concurrency: /);
    expect((await run('tenants', 'show', 'half')).code).toBe(1);
  });

  test.each([
    [
      ['keys', 'create', '--tenant', 'nobody', '--user', 'ann'],
      'error: There is no tenant nobody.\n',
    ],
    [
      ['keys', 'create', '--tenant', 'demo-tenant', '--user', 'ann'],
      'error: Tenant demo-tenant has no user ann.\n',
    ],
    [['keys', 'revoke', '0123456789ab'], 'error: There is no key 0123456789ab.\n'],
    [['keys', 'list', '--tenant', 'nobody'], 'error: There is no tenant nobody.\n'],
    [['tenants', 'set', 'nobody', 'weight=2'], 'error: There is no tenant nobody.\n'],
    [['tenants', 'set', 'demo-tenant', 'limits.burst=2'], 'error: limits.burst: no such field\n'],
    [
      ['users', 'remove', 'ann', '--tenant', 'demo-tenant'],
      'error: Tenant demo-tenant has no user ann.\n',
    ],
    [
      ['audit', 'verify', '--tenant', 'nobody'],
      'error: There is no tenant nobody, and no audit of one.\n',
    ],
  ])('answers %j with one line and exit code 1', async (args, stderr) => {
    expect(await run(...args)).toEqual({ code: 1, stdout: '', stderr });
  });

  test('says that no cluster runs where none runs', async () => {
    const { code, stderr } = await mesh('tenants', 'list', '--data', join(mine.data, 'elsewhere'));
    expect(code).toBe(1);
    expect(stderr).toMatch(/^error: No running cluster found: [^\n]+\n$/);
  });
});
