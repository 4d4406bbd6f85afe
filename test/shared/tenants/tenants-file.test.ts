import { describe, expect, test } from 'vitest';
import { parseTenantsFile } from '../../../shared/tenants/tenants-file.ts';

function problemsOf(text: string): string[] {
  try {
    parseTenantsFile(text);
  } catch (error) {
    return error instanceof Error ? error.message.split('\n') : [];
  }
  return [];
}

describe('a tenants file', () => {
  test('needs nothing but an id', () => {
    expect(parseTenantsFile('tenants:\n  - id: acme\n')).toMatchObject([
      {
        id: 'acme',
        name: 'acme',
        status: 'active',
        weight: 1,
        limits: {
          concurrency: 10,
          requestsPerMinute: 100,
          userRequestsPerMinute: 100,
          backlog: 1000,
          backlogBytes: 33_554_432,
          kvBytes: 100_000_000,
          artifacts: 1000,
          artifactBytes: 10_000_000_000,
        },
        users: [],
      },
    ]);
  });

  test('takes users with a role and single permissions', () => {
    const [tenant] = parseTenantsFile(`
tenants:
  - id: acme
    limits: { concurrency: 2 }
    users:
      - { id: ann, role: Viewer, permissions: [DeleteKV] }
      - id: bob
`);
    expect(tenant?.limits.concurrency).toBe(2);
    expect(tenant?.users).toEqual([
      { id: 'ann', role: 'Viewer', permissions: ['DeleteKV'] },
      { id: 'bob', role: 'User', permissions: [] },
    ]);
  });

  test.each([
    ['', 'line 1: must hold a list of tenants under "tenants:"'],
    ['tenants:\n', 'line 1, tenants: must be a list of tenants'],
    ['tenants: acme\n', 'line 1, tenants: must be a list of tenants'],
  ])('says of %j what it must hold', (text, problem) => {
    expect(problemsOf(text)).toEqual([problem]);
  });

  test('takes a rate for a tool, and refuses one for a tool that there is not', () => {
    const [tenant] = parseTenantsFile(
      'tenants:\n  - { id: acme, limits: { tools: { kv_set: 50 } } }\n',
    );
    expect(tenant?.limits.tools).toEqual({ kv_set: 50 });
    expect(
      problemsOf('tenants:\n  - id: acme\n    limits:\n      tools:\n        kv_sett: 50\n'),
    ).toEqual([
      expect.stringMatching(
        /^line 5, tenants\[0\]\.limits\.tools\.kv_sett: no such tool; tools are kv_get, /,
      ),
    ]);
    expect(
      problemsOf('tenants:\n  - { id: acme, limits: { tools: { kv_set: often } } }\n'),
    ).toEqual([expect.stringContaining('line 2, tenants[0].limits.tools.kv_set: ')]);
  });

  test('names every problem by line and field', () => {
    expect(
      problemsOf(`tenants:
  - id: Acme
    limits:
      concurrency: ten
      burst: 5
  - name: nameless
    colour: red
`),
    ).toEqual([
      expect.stringMatching(/^line 2, tenants\[0\]\.id: must be 1 to 63 /),
      expect.stringMatching(/^line 4, tenants\[0\]\.limits\.concurrency: .*expected number/),
      'line 5, tenants[0].limits.burst: no such field',
      expect.stringMatching(/^line 6, tenants\[1\]\.id: /),
      'line 7, tenants[1].colour: no such field',
    ]);
  });

  test.each([
    [
      'twice the same tenant',
      'tenants:\n  - id: a\n  - id: a\n',
      'line 3, tenants[1].id: declared twice',
    ],
    [
      'twice the same user',
      'tenants:\n  - id: a\n    users: [{ id: u }, { id: u }]\n',
      'line 3, tenants[0].users[1].id: declared twice',
    ],
    ['twice the same field', 'tenants:\n  - id: a\n    id: b\n', 'line 3: Map keys must be unique'],
    [
      'a role that is none',
      'tenants:\n  - id: a\n    users:\n      - id: u\n        role: Root\n',
      'line 5, tenants[0].users[0].role: ',
    ],
    ['a shard', 'tenants:\n  - id: a\n    shard: 3\n', 'line 3, tenants[0].shard: no such field'],
    ['broken YAML', 'tenants:\n  - id: [a\n', 'line 3: '],
    ['an empty file', '', 'line 1: '],
    ['a list at the top', '- id: a\n', 'line 1: '],
    ['another top-level field', 'tenants: []\nusers: []\n', 'line 2, users: no such field'],
  ])('refuses %s', (_, text, problem) => {
    expect(problemsOf(text)).toEqual([expect.stringContaining(problem)]);
  });

  test('refuses aliases that multiply without end', () => {
    const line = (name: string, of: string): string =>
      `${name}: &${name} [${Array.from({ length: 9 }, () => `*${of}`).join(', ')}]\n`;
    const text = `a: &a [x]\n${line('b', 'a')}${line('c', 'b')}${line('d', 'c')}tenants: *d\n`;
    expect(problemsOf(text)).toEqual([expect.stringContaining('alias')]);
  });
});
