/**
 * `node deploy/complete-lock.ts [--check]`: writes into the lockfile the optional packages of
 * platforms that npm left out of it. npm drops what it could not resolve where the lock was made,
 * and `npm ci` then refuses the lock everywhere.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { z } from 'zod';

const file = new URL('../package-lock.json', import.meta.url);

const Entry = z.looseObject({
  dev: z.boolean().optional(),
  optionalDependencies: z.record(z.string(), z.string()).optional(),
});
const Lock = z.looseObject({ packages: z.record(z.string(), Entry) });

const systems = [
  'aix',
  'android',
  'darwin',
  'freebsd',
  'linux',
  'netbsd',
  'openbsd',
  'openharmony',
  'sunos',
  'win32',
];
const processors = [
  'arm64',
  'arm',
  'ia32',
  'loong64',
  'mips64el',
  'ppc64',
  'riscv64',
  's390x',
  'wasm32',
  'x64',
];

/** Platform packages carry their platform in their name. */
function platformOf(name: string): { os: string[]; cpu: string[] } {
  const words = name.replace('windows', 'win32').split(/[-/]/);
  const cpu = processors.find((each) =>
    words.some((word) => word === each || word === `${each}le`),
  );
  const os =
    systems.find((each) => words.includes(each)) ?? (cpu === 'wasm32' ? 'wasi' : undefined);
  if (!cpu || !os)
    throw new Error(`No platform in the name ${name}: complete the lockfile by hand`);
  return { os: [os], cpu: [cpu] };
}

const text = await readFile(file, 'utf8');
const lock = Lock.parse(JSON.parse(text));
const missing = Object.entries(lock.packages).flatMap(([path, entry]) =>
  Object.entries(entry.optionalDependencies ?? {})
    .filter(
      ([name]) =>
        !lock.packages[`${path}/node_modules/${name}`] && !lock.packages[`node_modules/${name}`],
    )
    .map(([name, range]) => ({ name, version: range.replace(/^[~^]/, ''), dev: entry.dev })),
);
if (missing.length === 0) {
  process.stdout.write('The lockfile names every platform.\n');
} else if (process.argv.includes('--check')) {
  process.stderr.write(
    `The lockfile leaves out ${missing.length} packages of other platforms: run node deploy/complete-lock.ts\n`,
  );
  process.exitCode = 1;
} else {
  for (const { name, version, dev } of missing) {
    lock.packages[`node_modules/${name}`] = {
      version,
      ...platformOf(name),
      ...(dev && { dev }),
      optional: true,
    };
  }
  const packages = Object.fromEntries(
    Object.entries(lock.packages).sort(([a], [b]) => (a < b ? -1 : 1)),
  );
  await writeFile(file, `${JSON.stringify({ ...lock, packages }, null, 2)}\n`);
  process.stdout.write(`Added ${missing.length} packages of other platforms to the lockfile.\n`);
}
