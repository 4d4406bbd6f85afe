import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { describe, expect, test } from 'vitest';
import { parseCredentialsFile } from '../../deploy/local/aws-access.ts';
import { callTool } from '../../deploy/local/first-call.ts';
import { mesh, useUp } from '../support/mesh.ts';
import { names, region } from '../shared/aws/local-cloud.ts';

const mine = useUp();

const usage = (...args: string[]) =>
  mesh('tenants', 'usage', '--tenant', 'demo-tenant', ...args, '--data', mine.data);
const rows = async (...args: string[]) => JSON.parse((await usage(...args, '--json')).stdout);
const call = (tool: string, args: Record<string, unknown>) =>
  callTool({ mcp: mine.up.mcp, apiKey: mine.up.apiKey, tool, arguments: args });

describe('mesh tenants usage', { timeout: 60_000 }, () => {
  test('tells what is held, finds what the books do not know, and mends them', async () => {
    await call('kv_set', { key: 'usage', value: 'x'.repeat(1_000) });
    await call('artifacts_put', { key: 'a', content: 'eHh4' });
    const [kv, count, bytes] = await rows();
    expect(kv.used).toBeGreaterThanOrEqual(1_005);
    expect(count).toEqual({ what: 'artifacts', used: 1, limit: 1_000 });
    expect(bytes).toMatchObject({ used: 3 });
    expect(await usage('--verify')).toMatchObject({ code: 0, stderr: '' });

    const text = await readFile(join(mine.data, 'aws-credentials'), 'utf8');
    const s3 = new S3Client({
      region,
      endpoint: mine.up.aws ?? '',
      credentials: parseCredentialsFile(text),
      forcePathStyle: true,
    });
    const foreign = { Bucket: names.artifactsBucket, Key: 'demo-tenant/foreign', Body: 'x' };
    await s3.send(new PutObjectCommand(foreign));
    expect(await usage('--verify')).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('--repair'),
    });
    expect(await usage('--repair')).toMatchObject({ code: 0, stderr: '' });
    expect(await usage('--verify')).toMatchObject({ code: 0 });
    expect(await call('usage_get', {})).toMatchObject({ artifacts: { used: 2 } });
  });

  test('says that there is no such tenant', async () => {
    const end = await mesh('tenants', 'usage', '--tenant', 'nobody', '--data', mine.data);
    expect(end).toMatchObject({ code: 1, stderr: expect.stringContaining('no tenant nobody') });
  });
});
