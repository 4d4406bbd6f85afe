import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parseCredentialsFile } from '../../deploy/local/aws-access.ts';
import { callTool } from '../../deploy/local/first-call.ts';
import { mesh, startUp, type RunningUp } from '../support/mesh.ts';
import { makeTempDir, type TempDir } from '../support/temp-dir.ts';
import { names, region } from '../shared/aws/local-cloud.ts';

let data: TempDir;
let running: RunningUp;
beforeAll(async () => {
  data = await makeTempDir();
  running = await startUp(data.path);
});
afterAll(async () => {
  const ended = new Promise((resolve) => running.child.once('exit', resolve));
  running.child.kill('SIGTERM');
  await ended;
  await data[Symbol.asyncDispose]();
});

const usage = (...args: string[]) =>
  mesh('tenants', 'usage', '--tenant', 'demo-tenant', ...args, '--data', data.path);
const rows = async (...args: string[]) => JSON.parse((await usage(...args, '--json')).stdout);
const call = (tool: string, args: Record<string, unknown>) =>
  callTool({ mcp: running.up.mcp, apiKey: running.up.apiKey, tool, arguments: args });

describe('mesh tenants usage', { timeout: 60_000 }, () => {
  test('tells what is held, finds what the books do not know, and mends them', async () => {
    await call('kv_set', { key: 'usage', value: 'x'.repeat(1_000) });
    await call('artifacts_put', { key: 'a', content: 'eHh4' });
    const [kv, count, bytes] = await rows();
    expect(kv.used).toBeGreaterThanOrEqual(1_005);
    expect(count).toEqual({ what: 'artifacts', used: 1, limit: 1_000 });
    expect(bytes).toMatchObject({ used: 3 });
    expect(await usage('--verify')).toMatchObject({ code: 0, stderr: '' });

    const text = await readFile(join(data.path, 'aws-credentials'), 'utf8');
    const s3 = new S3Client({
      region,
      endpoint: running.up.aws ?? '',
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
    const end = await mesh('tenants', 'usage', '--tenant', 'nobody', '--data', data.path);
    expect(end).toMatchObject({ code: 1, stderr: expect.stringContaining('no tenant nobody') });
  });
});
