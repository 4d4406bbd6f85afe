/**
 * `npm run test:conformance`: the official MCP conformance suite against a whole cluster, with two
 * workers behind real Redis. Prints what each scenario came to and exits with 1 unless everything
 * passed, the scenarios that the suite runs without scoring them included.
 */
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { startTestCluster } from '../support/cluster.ts';

interface Outcome {
  readonly scenario: string;
  readonly passed: number;
  readonly failed: number;
}

const suite = fileURLToPath(import.meta.resolve('@modelcontextprotocol/conformance/dist/index.js'));

/** Far above what the suite sends in a minute. */
const tenants = `
tenants:
  - id: conformance
    limits: { requestsPerMinute: 100000, userRequestsPerMinute: 100000 }
    users: [{ id: suite, role: Admin }]
`;

const runs = [
  { title: '2026-07-28, required', args: ['--requirements', '2026-07-28'], required: 37 },
  { title: '2025-11-25, required', args: ['--requirements', '2025-11-25'], required: 30 },
];

async function main(): Promise<number> {
  await using cluster = await startTestCluster({
    workers: 2,
    conformance: true,
    tenants,
    environment: {
      AUTH: 'off',
      DEFAULT_TENANT_ID: 'conformance',
      DEFAULT_USER_ID: 'suite',
    },
  });
  let failures = 0;
  for (const { title, args, required } of runs) {
    const { code, text } = await run(['server', '--url', cluster.mcp, ...args]);
    const outcomes = outcomesOf(text);
    if (process.argv.includes('--verbose')) print(text);
    print(`\n${title}`);
    for (const { scenario, passed, failed } of outcomes) {
      print(
        `  ${failed === 0 ? 'ok    ' : 'FAILED'} ${scenario}: ${passed} passed, ${failed} failed`,
      );
    }
    // The first ones are the scored ones, in the order of the suite's own list.
    const scored = outcomes.slice(0, required);
    const good = scored.filter(({ failed }) => failed === 0).length;
    print(`  ${good} of ${required} required scenarios, suite's own verdict: exit ${code}`);
    const unscored = outcomes.slice(required);
    const passed = unscored.filter(({ failed }) => failed === 0).length;
    print(`  ${passed} of ${unscored.length} unscored ones`);
    if (code !== 0 || good !== required || passed !== unscored.length) failures += 1;
  }
  print(failures === 0 ? '\nConformance: passed' : `\nConformance: ${failures} run(s) failed`);
  return failures === 0 ? 0 : 1;
}

function run(args: readonly string[]): Promise<{ readonly code: number; readonly text: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [suite, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
    let text = '';
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
    child.stderr.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
    child.once('error', reject);
    child.once('close', (code) => resolve({ code: code ?? 1, text }));
  });
}

function outcomesOf(text: string): readonly Outcome[] {
  const summary = text.slice(text.indexOf('=== SUMMARY ==='));
  return [...summary.matchAll(/^[✓✗] (\S+): (\d+) passed, (\d+) failed/gm)].map(
    ([, scenario = '', passed, failed]) => ({
      scenario,
      passed: Number(passed),
      failed: Number(failed),
    }),
  );
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

process.exitCode = await main();
