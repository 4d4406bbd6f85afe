/** The runbook keeps up with the alerts, the faults and the cli that it speaks of. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';
import { mesh } from '../support/mesh.ts';

const root = join(import.meta.dirname, '../..');
const read = (path: string): Promise<string> => readFile(join(root, path), 'utf8');

const runbook = await read('deploy/RUNBOOK.md');
const sections = runbook.split(/^### /m).slice(1);

const Rules = z.object({
  groups: z.array(z.object({ rules: z.array(z.object({ alert: z.string().optional() })) })),
});

/** `mesh` lines of its code, by the words that name the command. */
function commandsOf(text: string): ReadonlyMap<string, ReadonlySet<string>> {
  const commands = new Map<string, Set<string>>();
  for (const [, line = ''] of text.matchAll(/^mesh ([^#\n]+)/gm)) {
    const words = line.trim().split(/\s+/);
    const isGroup = /^(tenants|users|keys|sessions|admins|audit|dead-letters)$/.test(
      words[0] ?? '',
    );
    const name = words.slice(0, isGroup ? 2 : 1).join(' ');
    const flags = commands.get(name) ?? new Set();
    for (const word of words) if (word.startsWith('-')) flags.add(word);
    commands.set(name, flags);
  }
  return commands;
}

describe('the runbook', () => {
  test('has a heading for every alert, under which it says what to see, to tell and to do', async () => {
    const { groups } = Rules.parse(parse(await read('deploy/observability/alerts.yaml')));
    const alerts = groups.flatMap(({ rules }) => rules.flatMap(({ alert }) => alert ?? []));
    expect(sections.map((section) => section.split('\n')[0])).toEqual(alerts);
    for (const section of sections) expect(section).toMatch(/\*\*See\*\*[^]*\*\*Do\*\*/);
  });

  test('speaks of every fault that the fault suite provokes', async () => {
    const suites = ['one-after-another', 'redis-cluster'].map((name) =>
      read(`test/faults/${name}.faults.ts`),
    );
    const text = runbook.replace(/\s+/g, ' ');
    const faults = (await Promise.all(suites))
      .flatMap((suite) => [...suite.matchAll(/^test\('(.+?)', async/gm)])
      .flatMap(([, fault = '']) => (fault === 'no fault at all' ? [] : [fault]));
    expect(faults.length).toBeGreaterThan(10);
    for (const fault of faults) expect(text).toContain(`**${fault}.**`);
  });

  const commands = [...commandsOf(runbook)];
  test.each(commands)(
    'names a command that there is, with its flags: mesh %s',
    async (name, flags) => {
      const { code, stdout } = await mesh(...name.split(' '), '--help');
      expect(code).toBe(0);
      expect(stdout).toMatch(new RegExp(`^Usage: mesh ${name} `));
      expect(stdout).not.toContain('[command]');
      for (const flag of flags) expect(stdout).toContain(flag);
    },
  );
});
