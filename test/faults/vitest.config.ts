/** `npm run test:faults`: one cluster, one fault after another, a few minutes. Not part of `npm test`. */
import { defineConfig } from 'vitest/config';

// eslint-disable-next-line import/no-default-export -- Vitest reads it
export default defineConfig({
  root: `${import.meta.dirname}/../..`,
  test: {
    environment: 'node',
    include: ['test/faults/**/*.faults.ts'],
    pool: 'forks',
    testTimeout: 60_000,
    hookTimeout: 60_000,
    disableConsoleIntercept: true,
  },
});
