/**
 * The quick way to start: `node services/stdio/start.mjs`, with the arguments of `main.ts`. Plain
 * JavaScript, so that nothing has to be compiled before the cache of compiled code is there. It
 * halves the time to the first answer, which clients that start a process for a probe wait for.
 */
import { existsSync } from 'node:fs';
import { enableCompileCache } from 'node:module';
import { join } from 'node:path';

const folder = import.meta.dirname;

// Beside the packages: it goes with them, and no other user of the machine can write there.
enableCompileCache(join(folder, '../../node_modules/.cache/agent-mesh'));
// In an image everything else was compiled.
await import(existsSync(join(folder, 'main.js')) ? './main.js' : './main.ts');
