import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Command } from 'commander';
import { expect, test } from 'vitest';
import { addDeadLetterCommands } from '../../services/cli/dead-letters.ts';
import { addTenantCommands } from '../../services/cli/tenants.ts';
import { addVerifyCapsCommand } from '../../services/cli/verify-caps.ts';
import { startTestAws } from '../support/local-aws.ts';
import { makeTempDir } from '../support/temp-dir.ts';
import { shards, startRedisCluster } from './redis-nodes.ts';

const tenants = Array.from({ length: shards }, (_, i) => `t-${i}`);

test('the cli works on a Redis Cluster named as the other processes name it', async () => {
  await using folder = await makeTempDir();
  await using cluster = await startRedisCluster();
  await using aws = await startTestAws();
  const { region, endpoint, credentials } = aws.access;
  const environment = {
    REDIS_URL: cluster.url,
    QUEUE_SHARDS: String(shards),
    AWS_REGION: region,
    AWS_ENDPOINT_URL: endpoint,
    AWS_ACCESS_KEY_ID: credentials?.accessKeyId,
    AWS_SECRET_ACCESS_KEY: credentials?.secretAccessKey,
  };
  const before = { ...process.env };
  Object.assign(process.env, environment);
  const mesh = async (...args: readonly string[]): Promise<string> => {
    const printed: string[] = [];
    const program = new Command().exitOverride();
    const ports = { environment, isTerminal: false, print: (text: string) => printed.push(text) };
    for (const add of [addTenantCommands, addDeadLetterCommands, addVerifyCapsCommand]) {
      add(program, { ...ports, print: (text) => void ports.print(text) });
    }
    await program.parseAsync(args, { from: 'user' });
    return printed.join('\n');
  };
  try {
    const file = join(folder.path, 'tenants.yaml');
    await writeFile(file, `tenants:\n${tenants.map((id) => `  - { id: ${id} }`).join('\n')}\n`);
    await mesh('tenants', 'apply', file);
    const listed = await mesh('tenants', 'list');
    for (const id of tenants) {
      expect(listed).toContain(id);
      expect(await mesh('tenants', 'set', id, 'limits.concurrency=3')).toContain(id);
      expect(await mesh('dead-letters', 'list', '--tenant', id)).toContain('no dead letters');
    }
    expect(await mesh('verify-caps')).toContain('No tenant was over its cap.');
  } finally {
    process.env = before;
  }
}, 120_000);
