import { Command } from 'commander';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Redis } from 'ioredis';
import { addDeadLetterCommands } from '../../services/cli/dead-letters.ts';
import { addVerifyCapsCommand } from '../../services/cli/verify-caps.ts';
import { createInvocationQueue } from '../../shared/queue/invocation-queue.ts';
import { leaseStream } from '../../shared/queue/names.ts';
import { aCall, aTenant, anId } from '../queue/calls.ts';
import { callTool, resultOf, rpc } from '../support/call.ts';
import { startTestCluster, type TestCluster } from '../support/cluster.ts';
import { createKey } from '../support/keys.ts';

const tenants = `
tenants:
  - id: acme
    users:
      - { id: ann, role: Admin }
      - { id: bob }
  - id: other
    users:
      - { id: eve, role: Admin }
`;

let cluster: TestCluster;
let redis: Redis;
const keys = { ann: '', bob: '', eve: '' };
const before = { ...process.env };
beforeAll(async () => {
  cluster = await startTestCluster({ tenants });
  redis = new Redis(cluster.redis);
  keys.ann = await createKey(cluster, 'acme', 'ann');
  keys.bob = await createKey(cluster, 'acme', 'bob');
  keys.eve = await createKey(cluster, 'other', 'eve');
  const { endpoint, credentials } = cluster.aws;
  Object.assign(process.env, {
    AWS_ENDPOINT_URL: endpoint,
    AWS_ACCESS_KEY_ID: credentials?.accessKeyId,
    AWS_SECRET_ACCESS_KEY: credentials?.secretAccessKey,
  });
});
afterAll(async () => {
  process.env = before;
  redis.disconnect();
  await cluster[Symbol.asyncDispose]();
});

/** A call that no worker can run: its tool is not known there. */
async function fail(name: string): Promise<string> {
  const queue = createInvocationQueue(redis, { name: 'test', leaseMs: 10_000 });
  const id = anId(name);
  await queue.admit(aCall(aTenant(), { id, tool: 'gone', arguments: { field: 'hush' } }));
  await expect
    .poll(() => redis.zscore('{mesh:0}:dead-at:acme', id), { timeout: 10_000 })
    .not.toBeNull();
  return id;
}

async function mesh(...args: readonly string[]): Promise<string> {
  const printed: string[] = [];
  const program = new Command().exitOverride();
  const ports = {
    environment: { ...process.env, REDIS_URL: cluster.redis },
    isTerminal: false,
    print: (text: string) => void printed.push(text),
  };
  addDeadLetterCommands(program, ports);
  addVerifyCapsCommand(program, ports);
  await program.parseAsync(args, { from: 'user' });
  return printed.join('\n');
}

const as = (user: keyof typeof keys) => ({ mcp: cluster.mcp, apiKey: keys[user] });

describe('dead letters', () => {
  test('are for Admins of their own tenant, who may run them again', async () => {
    const id = await fail('by-tool');
    const listed = await resultOf(as('ann'), 'dead_letters_list', { tool: 'gone' });
    expect(listed).toMatchObject({
      total: 1,
      dead_letters: [{ id, tool: 'gone', code: 'internal', arguments: '{"field":"[withheld]"}' }],
    });
    expect(await resultOf(as('eve'), 'dead_letters_list', {})).toMatchObject({ total: 0 });
    expect(await resultOf(as('eve'), 'dead_letters_replay', { ids: [id] })).toMatchObject({
      replayed: [],
      refused: [{ id }],
    });
    expect((await callTool(as('bob'), 'dead_letters_list', {})).message?.error?.message).toBe(
      'Unknown tool: dead_letters_list',
    );
    const { message } = await rpc(as('bob'), 'tools/list');
    expect(JSON.stringify(message?.result?.tools)).not.toContain('dead_letters');

    expect(await resultOf(as('ann'), 'dead_letters_replay', { ids: [id] })).toEqual({
      replayed: [id],
      refused: [],
    });
    // It fails again, for the same reason.
    await expect
      .poll(() => redis.zscore('{mesh:0}:dead-at:acme', id), { timeout: 10_000 })
      .not.toBeNull();
  });

  test('are listed, shown, replayed and discarded on the command line', async () => {
    const id = await fail('by-cli');
    expect(await mesh('dead-letters', 'list', '--tenant', 'acme')).toContain(id);
    const shown = await mesh('dead-letters', 'show', id, '--tenant', 'acme');
    expect(JSON.parse(shown)).toMatchObject({ id, cause: 'no such tool here', attempts: 1 });
    expect(shown).not.toContain('hush');
    await expect(mesh('dead-letters', 'discard', '--tenant', 'acme')).rejects.toThrow(
      'Name either',
    );
    expect(await mesh('dead-letters', 'replay', id, '--tenant', 'acme')).toBe('Replayed 1 call.');
    await expect
      .poll(() => redis.zscore('{mesh:0}:dead-at:acme', id), { timeout: 10_000 })
      .not.toBeNull();
    expect(await mesh('dead-letters', 'discard', '--all', '--tenant', 'acme')).toMatch(
      /^Discarded \d calls?\.$/,
    );
    expect(await mesh('dead-letters', 'list', '--tenant', 'acme')).toBe(
      'Tenant acme has no dead letters.',
    );
  });
});

test('mesh verify-caps finds nothing wrong, and fails on what is planted', async () => {
  expect(await mesh('verify-caps')).toContain('No tenant was over its cap.');
  for (const call of ['one', 'two']) {
    await redis.xadd(leaseStream(0), '*', 'e', `c planted 1 1 1;g planted ${call} 60000`);
  }
  await expect(mesh('verify-caps', '--since', '5m')).rejects.toThrow('1 violation.');
});
