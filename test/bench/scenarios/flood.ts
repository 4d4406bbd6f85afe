/**
 * Twenty quiet tenants that each call a tool of 5 ms ten times a second, and one that has 20,000
 * calls of the same tool: what the twenty notice of it once the flood is queued, and while it
 * arrives at the same ingress.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { CallShape, Load, Sample } from '../load/load.ts';
import { startClient, type LoadClient } from '../load/start-client.ts';
import { median, percentile } from '../measure/percentile.ts';
import { startMesh, type MeshTarget } from '../targets/mesh.ts';
import { holdBack, untilQueued } from '../targets/hold-back.ts';
import { atMost, type Scenario } from './scenario.ts';

const quietTenants = 20;
const everyMs = 100;
/** The connections are open beforehand, as a fleet's are; each carries many requests at once. */
const floodConnections = 500;
const firstMs = 1_000;

const call: CallShape = {
  tool: 'diagnostics_sleep',
  arguments: '{"ms":5}',
  text: '{"slept":5}',
};

type Stage = 'unloaded' | 'queued' | 'arriving' | 'arriving, first second';
const stages: readonly Stage[] = ['unloaded', 'queued', 'arriving', 'arriving, first second'];

interface Quiet {
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly calls: number;
}

export const flood: Scenario = {
  name: 'flood',
  async run({ rounds, seconds, warmUpSeconds, floodCalls }, { client, say }) {
    await using mesh = await startMesh({ tenants: quietTenants + 1 });
    using flooding = await startClient();
    const load = { url: mesh.url, era: '2026-07-28', call } as const;
    const tokens = mesh.tokens.slice(0, quietTenants);
    const quiet: Load = { ...load, tokens, connections: quietTenants, everyMs, keepSamples: true };
    const flood: Load = {
      ...load,
      tokens: mesh.tokens.slice(quietTenants),
      connections: floodConnections,
      depth: Math.ceil(floodCalls / floodConnections),
      calls: floodCalls,
    };
    say('Warming up');
    await client.run({ ...quiet, connections: 64, everyMs: 10, seconds: warmUpSeconds });

    const seen: Record<Stage, Quiet[]> = {
      unloaded: [],
      queued: [],
      arriving: [],
      'arriving, first second': [],
    };
    for (let round = 1; round <= rounds; round += 1) {
      say(`Round ${round} of ${rounds}: unloaded`);
      seen.unloaded.push(toQuiet((await client.run({ ...quiet, seconds: seconds * 2 })).samples));
      say(`Round ${round} of ${rounds}: flood already queued`);
      seen.queued.push(toQuiet(await besideQueued(mesh, { client, flooding }, { quiet, flood })));
      say(`Round ${round} of ${rounds}: flood arriving`);
      const { samples, from } = await besideArriving({ client, flooding }, { quiet, flood });
      seen.arriving.push(toQuiet(samples));
      seen['arriving, first second'].push(toQuiet(samples.filter(({ at }) => at < from + firstMs)));
    }
    const figures = Object.fromEntries(stages.map((stage) => [stage, toMiddle(seen[stage])]));
    const times = (stage: Stage): number =>
      (figures[stage]?.p99Ms ?? Number.NaN) / (figures['unloaded']?.p99Ms ?? Number.NaN);
    const what = 'p99 of quiet tenants against unloaded, flood';
    return {
      rows: stages.map((stage) => ({
        flood: stage,
        'quiet p50 ms': figures[stage]?.p50Ms,
        'quiet p99 ms': figures[stage]?.p99Ms,
        'calls a round': String(figures[stage]?.calls),
      })),
      figures,
      verdicts: [
        atMost(`${what} queued`, times('queued'), 3, ' ×'),
        atMost(`${what} arriving`, times('arriving'), 4, ' ×'),
        atMost(`${what} arriving, first second`, times('arriving, first second'), 4, ' ×'),
      ],
    };
  },
};

interface Clients {
  readonly client: LoadClient;
  readonly flooding: LoadClient;
}

interface Loads {
  readonly quiet: Load;
  readonly flood: Load;
}

/** The flooding tenant's cap is 0 until all of its calls wait. */
async function besideQueued(
  mesh: MeshTarget,
  { client, flooding }: Clients,
  { quiet, flood }: Loads,
): Promise<readonly Sample[]> {
  const held = await holdBack(mesh, quietTenants);
  const flooded = flooding.run(flood);
  await untilQueued(mesh, quietTenants, flood.calls ?? 0);
  const measured = client.run(quiet);
  await sleep(everyMs);
  const from = Date.now();
  await held.letGo();
  return samplesWhile(client, measured, flooded, from);
}

async function besideArriving(
  { client, flooding }: Clients,
  { quiet, flood }: Loads,
): Promise<{ readonly samples: readonly Sample[]; readonly from: number }> {
  const measured = client.run(quiet);
  await sleep(everyMs);
  const from = Date.now();
  return { samples: await samplesWhile(client, measured, flooding.run(flood), from), from };
}

/** What the quiet tenants saw from then on, for as long as the flood lasted. */
async function samplesWhile(
  client: LoadClient,
  measured: ReturnType<LoadClient['run']>,
  flooded: ReturnType<LoadClient['run']>,
  from: number,
): Promise<readonly Sample[]> {
  const { errors, problems } = await flooded;
  const to = Date.now();
  client.stop();
  const quiet = await measured;
  if (errors + quiet.errors > 0) {
    const problem = [...problems, ...quiet.problems][0];
    process.stderr.write(`${errors + quiet.errors} calls failed: ${problem}\n`);
  }
  return quiet.samples.filter(({ at }) => at >= from && at <= to);
}

function toQuiet(samples: readonly Sample[]): Quiet {
  const all = samples.map(({ ms }) => ms);
  return { p50Ms: percentile(all, 50), p99Ms: percentile(all, 99), calls: all.length };
}

function toMiddle(rounds: readonly Quiet[]): Quiet {
  return {
    p50Ms: median(rounds.map(({ p50Ms }) => p50Ms)),
    p99Ms: median(rounds.map(({ p99Ms }) => p99Ms)),
    calls: median(rounds.map(({ calls }) => calls)),
  };
}
