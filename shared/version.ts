/** The version of this build, and where its files are. */
import { readFile } from 'node:fs/promises';
import { findPackageJSON } from 'node:module';
import { dirname, join } from 'node:path';
import { z } from 'zod';

const manifest = findPackageJSON('..', import.meta.url) ?? 'package.json';

export async function readVersion(): Promise<string> {
  const text = await readFile(manifest, 'utf8');
  return z.object({ version: z.string() }).parse(JSON.parse(text)).version;
}

/** Where `npm run build:console` puts the page, from sources and in an image alike. */
export const consoleFolder = join(dirname(manifest), 'dist/console');
