/**
 * The quick way to start: `node services/stdio/start.mjs`, with the arguments of `main.ts`. Plain
 * JavaScript, so that nothing has to be compiled before the cache of compiled code is there. It
 * halves the time to the first answer, which clients that start a process for a probe wait for.
 */
import { enableCompileCache } from 'node:module';
import { join } from 'node:path';

// Beside the packages: it goes with them, and no other user of the machine can write there.
enableCompileCache(join(import.meta.dirname, '../../node_modules/.cache/agent-mesh'));
await import('./main.ts');
