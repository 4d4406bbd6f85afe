/** Two tools that go to AWS: a small value, and an artifact of 64 KB. */
import type { CallShape, Load } from '../load/load.ts';
import { measureLoad, toFigures, toRow, type Round } from '../measure/measure-load.ts';
import { startMesh } from '../targets/mesh.ts';
import { resultOf } from '../../support/call.ts';
import type { Scenario } from './scenario.ts';

const key = 'bench';
const value = 'a small value';
const content = Buffer.alloc(65_536, 'artifact').toString('base64');

const shapes: readonly CallShape[] = [
  { tool: 'kv_get', arguments: `{"key":"${key}"}`, text: JSON.stringify({ value }) },
  {
    tool: 'artifacts_get',
    arguments: `{"key":"${key}"}`,
    text: JSON.stringify({ content, encoding: 'base64' }),
  },
];

export const tools: Scenario = {
  name: 'tools',
  async run({ seconds, rounds, warmUpSeconds, concurrency }, { client, say }) {
    await using mesh = await startMesh();
    const endpoint = { mcp: mesh.url, apiKey: mesh.tokens[0] ?? '' };
    await resultOf(endpoint, 'kv_set', { key, value });
    await resultOf(endpoint, 'artifacts_put', { key, content });
    const load = { url: mesh.url, era: '2026-07-28', ...mesh.access } as const;
    for (const call of shapes) {
      say(`Warming up ${call.tool}`);
      await client.run({ ...load, call, connections: 16, seconds: warmUpSeconds / shapes.length });
    }
    const points = shapes.flatMap((call) =>
      concurrency.map((inFlight) => ({ call, inFlight, rounds: [] as Round[] })),
    );
    for (let round = 1; round <= rounds; round += 1) {
      for (const { call, inFlight, rounds: measured } of points) {
        say(`Round ${round} of ${rounds}: ${call.tool}, ${inFlight} in flight`);
        const one: Load = { ...load, call, connections: inFlight, seconds };
        measured.push(await measureLoad(client, mesh.processes, one));
      }
    }
    const figures = points.map(({ call, inFlight, rounds }) => ({
      tool: call.tool,
      inFlight,
      ...toFigures(rounds),
    }));
    const rows = figures.map(({ tool, inFlight, ...rest }) => ({
      tool,
      'in flight': String(inFlight),
      ...toRow(rest),
    }));
    return { rows, figures, verdicts: [] };
  },
};
