/**
 * Tests run against real child processes: few files at a time, and time enough to start them.
 * `journeys` are those that wait or start whole clusters again and again: the cli, the launcher,
 * stdio, other people's clients, what holds within seconds everywhere. They run apart, so that `fast` stays under three minutes.
 */
import { defineConfig } from 'vitest/config';

const journeys = [
  'test/{clients,stdio}/**/*.test.ts',
  'test/system/{cli,plan,up,drain,upgrade}.test.ts',
  'test/runbook/**/*.test.ts',
  'test/ingress/{revocation,process}.test.ts',
  'test/shared/tenants/live-changes.test.ts',
  'test/usage/{cli-usage,kv-limit}.test.ts',
  'test/containers/**/*.test.ts',
  'test/console/page.test.ts',
];

// Other people's packages bring tests of their own.
const exclude = [...journeys, '**/node_modules/**'];

export default defineConfig({
  root: `${import.meta.dirname}/..`,
  test: {
    environment: 'node',
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: 20_000,
    hookTimeout: 60_000,
    teardownTimeout: 20_000,
    projects: [
      {
        extends: true,
        test: { name: 'fast', include: ['test/**/*.test.ts'], exclude },
      },
      { extends: true, test: { name: 'journeys', include: journeys } },
    ],
  },
});
