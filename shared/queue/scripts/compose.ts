/**
 * Turns the `.lua` files beside this one into whole scripts: the names of `../names.ts`, BullMQ's
 * own Lua as local functions, the parts a script needs, and the script itself.
 *
 * BullMQ's Lua is read from the installed package, whose version is pinned exactly: what runs here
 * is what stock BullMQ runs, inside one transition.
 */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import { indexSuffixes, subjectSuffixes } from '../names.ts';

const require = createRequire(import.meta.url);
const bullScripts = join(dirname(require.resolve('bullmq')), 'scripts');

/** Our name for a BullMQ transition: the file it stands in. */
const bull = {
  bullAdd: 'addStandardJob-9',
  bullTake: 'moveToActive-11',
  bullFinish: 'moveToFinished-14',
  bullRelease: 'moveJobFromActiveToWait-9',
  bullStalled: 'moveStalledJobsToWait-9',
} as const;
type BullScript = keyof typeof bull;

/** What each script is made of, in order; its own file comes last. */
const parts = {
  admit: ['record', 'book', 'conclude', 'dead-letters', 'limits', 'rates', 'add'],
  claim: ['bullTake', 'record', 'book', 'start', 'take'],
  begin: [],
  settle: [
    'bullTake',
    'bullFinish',
    'record',
    'book',
    'start',
    'take',
    'finish',
    'conclude',
    'dead-letters',
  ],
  release: ['bullRelease', 'record', 'book'],
  renew: ['record'],
  sweep: ['bullStalled', 'record', 'book', 'conclude', 'remove', 'dead-letters'],
  cancel: ['record', 'book', 'conclude', 'remove'],
  'set-limits': ['record', 'book', 'limits'],
  hold: ['record'],
  announce: ['record', 'readable'],
  discard: ['dead-letters'],
  unsent: [],
} as const satisfies Record<string, readonly string[]>;
export type ScriptName = keyof typeof parts;
// eslint-disable-next-line typescript/no-unsafe-type-assertion -- the literal above has no other keys
const scriptNames = Object.keys(parts) as ScriptName[];

/**
 * A full Redis refuses new work, in admit's first line, and lets everything pass that finishes what
 * is there: under noeviction it could not be drained otherwise.
 */
const firstLine = (name: ScriptName): string =>
  name === 'admit' ? '#!lua' : '#!lua flags=allow-oom';

const BullModule = z.record(z.string(), z.object({ content: z.string() }).optional());

function isBull(part: string): part is BullScript {
  return Object.hasOwn(bull, part);
}

function bullFunction(name: BullScript): string {
  const file = bull[name];
  const script = BullModule.parse(require(join(bullScripts, `${file}.js`)))[
    file.replace(/-\d+$/, '')
  ];
  if (!script) throw new Error(`BullMQ has no script ${file}: its version must be the pinned one`);
  return `local function ${name}(KEYS, ARGV)\n${script.content}\nend`;
}

function names(): string {
  const index = Object.entries(indexSuffixes).map(
    ([name, suffix]) => `local ${name.toUpperCase()} = KEYS[1] .. '${suffix}'`,
  );
  const subjects = Object.entries(subjectSuffixes).map(
    ([name, prefix]) => `local ${name.toUpperCase()} = KEYS[1] .. '${prefix}'`,
  );
  return [...index, ...subjects, `local QUEUES = KEYS[1] .. 'q:'`].join('\n');
}

const read = (name: string): string =>
  readFileSync(new URL(`./${name}.lua`, import.meta.url), 'utf8');

/** A script of these parts that ends with `body`. */
export const composeScript = (parts: readonly string[], body: string): string =>
  [
    names(),
    read('prelude'),
    ...parts.map((part) => (isBull(part) ? bullFunction(part) : read(part))),
    body,
  ].join('\n');

/** The whole text of every script, by name. */
export function composeScripts(): ReadonlyMap<ScriptName, string> {
  return new Map(
    scriptNames.map((name) => [
      name,
      `${firstLine(name)}\n${composeScript(parts[name], read(name))}`,
    ]),
  );
}
