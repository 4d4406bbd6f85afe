/**
 * `npm run deploy:check`: installs what only this folder needs, if it is missing, then type-checks and
 * tests the manifests and the AWS account. The last line says how it went.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const root = join(import.meta.dirname, '..');
const kept = join(import.meta.dirname, 'node_modules/.package-lock.json');
const lock = join(import.meta.dirname, 'package-lock.json');

/** npm leaves a copy of the lock behind, without the entry of the package itself. */
function isInstalled(): boolean {
  if (!existsSync(kept)) return false;
  const [wanted, got] = [lock, kept].map(versionsIn);
  return wanted === got;
}

function versionsIn(file: string): string {
  const { packages }: { packages: Record<string, { version?: string; optional?: boolean }> } =
    JSON.parse(readFileSync(file, 'utf8'));
  const named = Object.entries(packages).filter(([path, { optional }]) => path !== '' && !optional);
  return JSON.stringify(named.map(([path, { version }]) => [path, version]));
}

function run(what: string, command: string, ...args: readonly string[]): void {
  process.stdout.write(`deploy: ${what}\n`);
  const { status } = spawnSync(command, args, { cwd: root, stdio: 'inherit' });
  if (status === 0) return;
  process.stdout.write(`deploy: FAILED at: ${what}\n`);
  process.exit(1);
}

if (!isInstalled()) {
  const quiet = ['--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'];
  run('installing its packages', 'npm', 'ci', '--prefix', 'deploy', ...quiet);
}
run('types', 'tsc', '-p', 'deploy/tsconfig.tools.json');
run('manifests and AWS account', 'vitest', 'run', '--config', 'deploy/vitest.config.ts');
process.stdout.write('deploy: all checks passed\n');
