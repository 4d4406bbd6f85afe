/** `npm run test:faults`: one fault after another, on one Redis and on a Redis Cluster: about six minutes. Not part of `npm test`. */
import { defineConfig } from 'vitest/config';

// eslint-disable-next-line import/no-default-export -- Vitest reads it
export default defineConfig({
  root: `${import.meta.dirname}/../..`,
  test: {
    environment: 'node',
    include: ['test/faults/**/*.faults.ts'],
    pool: 'forks',
    // Two clusters at once would slow each other down.
    fileParallelism: false,
    testTimeout: 90_000,
    hookTimeout: 60_000,
    disableConsoleIntercept: true,
  },
});
