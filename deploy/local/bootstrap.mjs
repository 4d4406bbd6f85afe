/**
 * Runs a script of this project on a machine that may have nothing but Node 20 and npm:
 *
 *     node deploy/local/bootstrap.mjs <script.ts> [arguments]
 *
 * Installs the packages if they are missing or differ from the lockfile, picks a Node that runs
 * TypeScript, and stands in for the script: same streams, same exit code. Signals are passed on;
 * the loss of a parent counts as one, since npm does not pass signals on reliably.
 * Plain JavaScript without dependencies: this runs before anything is installed.
 */
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { constants } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const neededMajor = 24;
const watchEveryMs = 250;
/** A second Ctrl-C after this long means: do not wait. */
const insistAfterMs = 1_000;
const root = join(dirname(fileURLToPath(import.meta.url)), '../..');
const windows = process.platform === 'win32';

const [script, ...scriptArguments] = process.argv.slice(2);
if (script === undefined) fail('usage: node deploy/local/bootstrap.mjs <script.ts> [arguments]');

const ancestors = watchedAncestors();
const problem = whatIsNotInstalled({ forTests: script.startsWith('test/') });
if (problem !== undefined) install(problem);
run(pickNode());

/** Compares what npm installed last with the lockfile. Optional packages may be missing. */
function whatIsNotInstalled({ forTests }) {
  const installedFile = join(root, 'node_modules/.package-lock.json');
  if (!existsSync(installedFile)) return 'node_modules is missing';
  const locked = readPackages(join(root, 'package-lock.json'));
  const installed = readPackages(installedFile);
  for (const [path, entry] of Object.entries(locked)) {
    const found = installed[path];
    const mayBeMissing =
      path === '' || entry.optional || entry.devOptional || (entry.dev && !forTests);
    if (found ? found.version === entry.version : mayBeMissing) continue;
    return `${path} is ${found?.version ?? 'missing'}, the lockfile has ${entry.version}`;
  }
  return undefined;
}

function readPackages(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8')).packages ?? {};
  } catch (error) {
    return fail(`cannot read ${file}: ${error.message}`);
  }
}

function install(reason) {
  process.stderr.write(`Installing packages (${reason}) …\n`);
  const startedAt = Date.now();
  // Standard output belongs to the script.
  const { status, error } = spawnSync('npm', ['ci', '--no-audit', '--no-fund'], {
    cwd: root,
    stdio: ['ignore', 2, 2],
    shell: windows,
  });
  if (error) fail(`cannot run npm: ${error.message}`);
  if (status !== 0) fail('npm ci failed, see above');
  process.stderr.write(`Packages installed in ${Math.round((Date.now() - startedAt) / 1000)} s.\n`);
}

function pickNode() {
  if (Number.parseInt(process.versions.node, 10) >= neededMajor) return process.execPath;
  const platform = windows ? 'win' : process.platform;
  const folder = join(root, `node_modules/node-${platform}-${process.arch}/bin`);
  const bundled = join(folder, windows ? 'node.exe' : 'node');
  if (existsSync(bundled)) return bundled;
  return fail(
    `Node ${neededMajor} or newer is needed here (this is ${process.version}, and npm brings none for ${platform}-${process.arch})`,
  );
}

/** Its own process group: a terminal's Ctrl-C must reach the script once, through us. */
function run(node) {
  const child = spawn(node, [join(root, script), ...scriptArguments], {
    stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
    detached: true,
    windowsHide: true,
    // For every process of a cluster: a third less to compute until each is up.
    env: { NODE_COMPILE_CACHE: join(root, 'node_modules/.cache/agent-mesh'), ...process.env },
  });
  child.on('error', (error) => fail(`cannot run ${node}: ${error.message}`));
  child.on('exit', (code, signal) => {
    process.exit(code ?? 128 + (constants.signals[signal] ?? 0));
  });

  // One reason to stop often arrives in several ways: from the terminal, from npm, from the kernel.
  let askedAt = 0;
  const ask = (signal) => {
    const isFirst = askedAt === 0;
    const insists = signal === 'SIGINT' && performance.now() - askedAt > insistAfterMs;
    if (isFirst) askedAt = performance.now();
    if (isFirst || insists) child.kill(signal);
  };
  process.on('SIGINT', () => ask('SIGINT'));
  for (const signal of ['SIGTERM', 'SIGHUP']) process.on(signal, () => ask('SIGTERM'));
  const watch = setInterval(() => {
    if (ancestors.every(({ pid, parent }) => parentOf(pid) === parent)) return;
    clearInterval(watch);
    ask('SIGTERM');
  }, watchEveryMs);
  watch.unref();
}

/**
 * Processes whose parent must not change: this one, and under npm also the shells between npm and
 * us. A process whose parent dies gets another one at once. Where 1 is the parent, nobody is lost.
 */
function watchedAncestors() {
  const watched = [];
  let pid = process.pid;
  for (;;) {
    const parent = parentOf(pid);
    if (parent === undefined || parent <= 1) return watched;
    watched.push({ pid, parent });
    if (process.env.npm_execpath === undefined || !isShell(parent)) return watched;
    pid = parent;
  }
}

function parentOf(pid) {
  if (pid === process.pid) return process.ppid;
  if (windows) return undefined;
  try {
    // The name, in parentheses, may hold anything; state and parent follow it.
    if (process.platform !== 'linux') return Number(askPs(pid, 'ppid'));
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
  } catch {
    return undefined;
  }
}

function isShell(pid) {
  if (windows) return false;
  try {
    const name =
      process.platform === 'linux' ? readFileSync(`/proc/${pid}/comm`, 'utf8') : askPs(pid, 'comm');
    return ['sh', 'bash', 'dash', 'zsh', 'ash', 'busybox'].includes(basename(name.trim()));
  } catch {
    return false;
  }
}

function askPs(pid, column) {
  return execFileSync('ps', ['-o', `${column}=`, '-p', String(pid)], { encoding: 'utf8' }).trim();
}

function fail(message) {
  process.stderr.write(`error: ${message}\n`);
  process.exit(1);
}
