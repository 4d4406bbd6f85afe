/** The console of a local cluster: its page, built where it is missing or old, and a first account. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { hashAdminToken, newAdminToken, type AdminAccounts } from '../../shared/admin/accounts.ts';
import { UserId } from '../../shared/ids.ts';
import { consoleFolder } from '../../shared/version.ts';
import type { DataFolder } from './data-folder.ts';

const root = join(import.meta.dirname, '../..');
const sources = join(root, 'services/console');
const vite = join(root, 'node_modules/vite/bin/vite.js');

/**
 * Takes a second or two, if anything is to be done. Rejects with one line if it fails, or with the
 * signal's reason.
 */
export async function buildConsole(signal?: AbortSignal): Promise<void> {
  if (!(await isOld())) return;
  await mkdir(dirname(consoleFolder), { recursive: true });
  // Whoever else builds at the same time, and whoever reads: the folder is whole or not there.
  const draft = await mkdtemp(`${consoleFolder}-`);
  try {
    const build = spawn(
      process.execPath,
      [vite, 'build', sources, `--outDir=${draft}`, '--emptyOutDir', '--logLevel=error'],
      { cwd: root, stdio: 'ignore', signal },
    );
    const [code] = await once(build, 'exit');
    if (code !== 0) throw new Error('The console was not built: npm run build:console says why.');
    await rm(consoleFolder, { recursive: true, force: true });
    await rename(draft, consoleFolder).catch(() => undefined);
  } finally {
    await rm(draft, { recursive: true, force: true });
  }
}

async function isOld(): Promise<boolean> {
  const built = await stat(join(consoleFolder, 'index.html')).catch(() => undefined);
  if (!built) return true;
  const files = await readdir(sources, { withFileTypes: true });
  const times = await Promise.all(
    files.filter((file) => file.isFile()).map(({ name }) => stat(join(sources, name))),
  );
  return times.some(({ mtimeMs }) => mtimeMs > built.mtimeMs);
}

export interface FirstAdmin {
  readonly token: string;
  /** Whether it was made just now, and so should be told. */
  readonly isNew: boolean;
}

const name = UserId.parse('admin');

/** An operator, whose token outlives a restart in the data folder. */
export async function ensureAdmin(
  folder: Pick<DataFolder, 'secret'>,
  accounts: AdminAccounts,
): Promise<FirstAdmin> {
  const token = await folder.secret('admin-token', newAdminToken);
  const account = {
    name,
    role: 'operator' as const,
    tokenHash: hashAdminToken(token),
    createdAt: Date.now(),
  };
  return { token, isNew: await accounts.add(account) };
}
