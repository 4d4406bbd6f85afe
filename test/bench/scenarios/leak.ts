/** Many calls, and what is left of them in the heaps of ingress and worker. */
import { setTimeout as sleep } from 'node:timers/promises';
import { readHeaps, type Holding } from '../measure/holding.ts';
import { startMesh } from '../targets/mesh.ts';
import { atMost, type Scenario, type Verdict } from './scenario.ts';

const steps = 4;
const inFlight = 64;
/** What a call leaves behind for a moment, such as its entry in the audit, is not what is sought. */
const settleMs = 5_000;
const mostGrowthPercent = 5;

export const leak: Scenario = {
  name: 'leak',
  async run({ leakCalls }, { client, say }) {
    await using mesh = await startMesh({ tenants: 100 });
    const load = { url: mesh.url, call: mesh.echo, connections: inFlight, ...mesh.access };
    const figures: { readonly calls: number; readonly heaps: Holding }[] = [];
    for (let step = 1; step <= steps; step += 1) {
      const calls = (leakCalls / steps) * step;
      say(`${calls} of ${leakCalls} calls`);
      for (const era of ['2026-07-28', '2025-11-25'] as const) {
        await client.run({ ...load, era, calls: leakCalls / steps / 2 });
      }
      await sleep(settleMs);
      figures.push({ calls, heaps: await readHeaps(mesh) });
    }
    const verdicts = mesh.nodes.map(({ name }) =>
      growthOf(
        name,
        figures.map(({ heaps }) => heaps[name] ?? Number.NaN),
      ),
    );
    const rows = figures.map(({ calls, heaps }) => ({
      calls: String(calls),
      ...Object.fromEntries(
        Object.entries(heaps).map(([name, bytes]) => [`${name} MB`, bytes / 2 ** 20]),
      ),
    }));
    return { rows, figures, verdicts };
  },
};

function growthOf(name: string, heaps: readonly number[]): Verdict {
  const [first = Number.NaN, ...later] = heaps;
  const percent = (Math.max(...later) / first - 1) * 100;
  return atMost(`growth of the heap of ${name}`, percent, mostGrowthPercent, ' %');
}
