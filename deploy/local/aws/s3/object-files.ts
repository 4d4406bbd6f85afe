/** The files that hold objects' bytes, under random names; the journal says which object has which. */
import { mkdirSync } from 'node:fs';
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';

export interface ObjectFiles {
  path(file: string): string;
  /** Only once the journal no longer names them on disk. */
  remove(files: readonly string[]): Promise<void>;
  /** Removes what a crash left behind. */
  keepOnly(files: ReadonlySet<string>): Promise<void>;
}

export function createObjectFiles(dataDir: string): ObjectFiles {
  const directory = join(dataDir, 'objects');
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const path = (file: string) => join(directory, file);
  const remove = async (files: readonly string[]) => {
    for (const file of files) await rm(path(file), { force: true });
  };
  return {
    path,
    remove,
    async keepOnly(files) {
      const present = await readdir(directory);
      await remove(present.filter((file) => !files.has(file)));
    },
  };
}
