/** Other people's servers have a package of their own: whoever only starts a cluster pays nothing for them. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { join } from 'node:path';

const peers = join(import.meta.dirname, '../../peers');

export async function installPeers(say: (text: string) => void): Promise<void> {
  if (existsSync(join(peers, 'node_modules/.package-lock.json'))) return;
  say('Installing the other servers (npm ci in test/peers)');
  const npm = spawn('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund'], {
    cwd: peers,
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const [code] = (await once(npm, 'exit')) as [number | null];
  if (code !== 0) throw new Error(`npm ci in ${peers} ended with ${code}`);
}
