/**
 * `npm test`: makes sure that Redis can be run, runs the suite, and ends with the line
 * `N passed, N failed`. Arguments go to Vitest.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { findRedis } from '../deploy/local/find-redis.ts';

const root = join(import.meta.dirname, '..');

const Report = z.object({
  numPassedTests: z.number(),
  numFailedTests: z.number(),
  numPendingTests: z.number(),
  numTodoTests: z.number(),
  testResults: z.array(
    z.object({ status: z.string(), assertionResults: z.array(z.object({ status: z.string() })) }),
  ),
});

interface Count {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

process.exitCode = await main();

async function main(): Promise<number> {
  const folder = await mkdtemp(join(tmpdir(), 'agent-mesh-test-'));
  const reportFile = join(folder, 'report.json');
  try {
    await findRedis({
      path: process.env['PATH'] ?? '',
      onStep: (text) => process.stdout.write(`${text} …\n`),
    });
    const code = await runVitest(reportFile);
    return finish(withCrash(await readCount(reportFile), code));
  } catch (error) {
    process.stderr.write(`error: ${error instanceof Error ? error.message : String(error)}\n`);
    return finish({ passed: 0, failed: 1, skipped: 0 });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Resolves with its exit code; a signal that we get is passed on. */
async function runVitest(reportFile: string): Promise<number> {
  const vitest = spawn(
    process.execPath,
    [
      join(root, 'node_modules/vitest/vitest.mjs'),
      'run',
      `--config=${join(root, 'test/vitest.config.ts')}`,
      '--reporter=default',
      '--reporter=json',
      `--outputFile.json=${reportFile}`,
      ...process.argv.slice(2),
    ],
    { cwd: root, stdio: 'inherit' },
  );
  const pass = (signal: NodeJS.Signals): boolean => vitest.kill(signal);
  process.once('SIGINT', pass);
  process.once('SIGTERM', pass);
  const [code] = await once(vitest, 'exit');
  // Our channel to the bootstrap must not keep us running.
  if (process.connected) process.disconnect();
  return typeof code === 'number' ? code : 1;
}

async function readCount(reportFile: string): Promise<Count> {
  const text = await readFile(reportFile, 'utf8').catch(() => undefined);
  if (text === undefined) return { passed: 0, failed: 0, skipped: 0 };
  const report = Report.parse(JSON.parse(text));
  // A file that fails before its first test, or around them, has no test that failed.
  const brokenFiles = report.testResults.filter(
    ({ status, assertionResults }) =>
      status === 'failed' && !assertionResults.some((test) => test.status === 'failed'),
  );
  return {
    passed: report.numPassedTests,
    failed: report.numFailedTests + brokenFiles.length,
    skipped: report.numPendingTests + report.numTodoTests,
  };
}

/** A run that ends badly without a failed test has failed all the same. */
function withCrash(count: Count, code: number): Count {
  return code !== 0 && count.failed === 0 ? { ...count, failed: 1 } : count;
}

function finish({ passed, failed, skipped }: Count): number {
  const rest = skipped > 0 ? `, ${skipped} skipped` : '';
  process.stdout.write(`\n${passed} passed, ${failed} failed${rest}\n`);
  return failed > 0 ? 1 : 0;
}
