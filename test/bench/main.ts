/**
 * `npm run bench`: what a call costs, beside what others cost, on this machine. Prints tables and
 * which of the figures that must be reached were; writes everything as JSON. It judges, but never
 * fails for a figure.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { cpus } from 'node:os';
import { dirname } from 'node:path';
import { startClient } from './load/start-client.ts';
import { toTable } from './measure/table.ts';
import { readOptions } from './options.ts';
import { calls } from './scenarios/calls.ts';
import { flood } from './scenarios/flood.ts';
import { leak } from './scenarios/leak.ts';
import { profile } from './scenarios/profile.ts';
import type { Outcome, Scenario } from './scenarios/scenario.ts';
import { tenants } from './scenarios/tenants.ts';
import { tools } from './scenarios/tools.ts';
import { workers } from './scenarios/workers.ts';
import { installPeers } from './targets/install-peers.ts';

const scenarios: readonly Scenario[] = [calls, tenants, workers, flood, tools, leak, profile];

await main();

async function main(): Promise<void> {
  const options = readOptions(
    scenarios.map(({ name }) => name),
    process.argv.slice(2),
  );
  if (options.only.includes(calls.name)) await installPeers(say);
  const outcomes: Record<string, Outcome> = {};
  for (const scenario of scenarios.filter(({ name }) => options.only.includes(name))) {
    using client = await startClient();
    print(`\n${scenario.name}`);
    const outcome = await scenario.run(options, { client, say });
    outcomes[scenario.name] = outcome;
    print(`\n${toTable(outcome.rows)}`);
  }
  judge(outcomes);
  await mkdir(dirname(options.json), { recursive: true });
  const machine = { cpus: cpus().length, model: cpus()[0]?.model, node: process.version };
  const report = { at: new Date().toISOString(), machine, options, outcomes };
  await writeFile(options.json, `${JSON.stringify(report, undefined, 2)}\n`);
  print(`\nFigures: ${options.json}`);
  if (process.connected) process.disconnect();
}

function judge(outcomes: Readonly<Record<string, Outcome>>): void {
  const verdicts = Object.values(outcomes).flatMap(({ verdicts }) => verdicts);
  if (verdicts.length === 0) return;
  const rows = verdicts.map(({ what, wanted, got, reached }) => ({
    '': reached ? 'reached' : 'fell short',
    what,
    wanted,
    got,
  }));
  print(`\n${toTable(rows)}`);
}

function say(text: string): void {
  process.stderr.write(`${text} …\n`);
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}
