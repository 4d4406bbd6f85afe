/** What is deployed, held to its schemas and promises. Needs the packages of this folder: `npm run deploy:check`. */
import { defineConfig } from 'vitest/config';

export default defineConfig({
  root: import.meta.dirname,
  test: {
    environment: 'node',
    pool: 'forks',
    maxWorkers: 2,
    include: ['{aws,kubernetes}/test/*.test.ts'],
    testTimeout: 60_000,
    hookTimeout: 120_000,
  },
});
