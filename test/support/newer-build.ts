/** This tree as it may look one version of messages later: the same sources, with one more entry. */
import { cp, readFile, symlink, writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { makeTempDir } from './temp-dir.ts';

const root = join(import.meta.dirname, '../..');
const versionsFile = 'shared/queue/message-versions.ts';

/** Neither build makes anything of the other's form. */
const addition = `
  2: {
    invocation: {
      write: ({ tool, ...rest }) => ({ ...rest, called: tool }),
      read: ({ called, ...rest }) => ({ ...rest, tool: called }),
    },
    reply: {
      write: ({ status, ...rest }) => ({ ...rest, ended: status }),
      read: ({ ended, ...rest }) => ({ ...rest, status: ended }),
    },
  },
};

const known =`;

export interface NewerBuild extends AsyncDisposable {
  /** Where a script of the project is in this build, seen from the project. */
  script(path: string): string;
}

export async function makeNewerBuild(): Promise<NewerBuild> {
  const folder = await makeTempDir();
  const filter = (path: string): boolean => !path.includes('node_modules');
  for (const part of ['services', 'shared', 'deploy', 'package.json']) {
    await cp(join(root, part), join(folder.path, part), { recursive: true, filter });
  }
  await symlink(join(root, 'node_modules'), join(folder.path, 'node_modules'));
  const file = join(folder.path, versionsFile);
  const text = await readFile(file, 'utf8');
  const newer = text.replace('\n};\n\nconst known =', addition);
  if (newer === text) throw new Error(`${versionsFile} is not what this test knows`);
  await writeFile(file, newer);
  return {
    script: (path) => relative(root, join(folder.path, path)),
    [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose](),
  };
}
