/** A tool of 50 ms and more calls than slots: what further workers add. */
import { measureLoad, toFigures, toRow, type Figures } from '../measure/measure-load.ts';
import { startMesh } from '../targets/mesh.ts';
import { atLeast, type Scenario } from './scenario.ts';

const counts = [1, 2, 4];
const slots = 50;
const sleepMs = 50;

export const workers: Scenario = {
  name: 'workers',
  async run({ seconds, rounds, warmUpSeconds }, { client, say }) {
    await using mesh = await startMesh({ tenants: 100, environment: { WORKER_SLOTS: `${slots}` } });
    const load = {
      url: mesh.url,
      era: '2026-07-28',
      call: {
        tool: 'diagnostics_sleep',
        arguments: `{"ms":${sleepMs}}`,
        text: `{"slept":${sleepMs}}`,
      },
      ...mesh.access,
    } as const;
    say('Warming up');
    await client.run({ ...load, connections: slots * 2, seconds: warmUpSeconds });

    const figures: (Figures & { readonly workers: number })[] = [];
    for (const count of counts) {
      while (mesh.cluster.workers.length < count) await mesh.cluster.startWorker();
      const connections = slots * count * 2;
      say(`${count} workers`);
      await client.run({ ...load, connections, seconds });
      const measured = [];
      for (let round = 1; round <= rounds; round += 1) {
        measured.push(await measureLoad(client, mesh.processes, { ...load, connections, seconds }));
      }
      figures.push({ workers: count, ...toFigures(measured) });
    }
    const rates = figures.map(({ callsPerSecond }) => callsPerSecond);
    const growth = (rates.at(-1) ?? Number.NaN) / (rates[0] ?? Number.NaN);
    return {
      rows: figures.map(({ workers, ...rest }) => ({ workers: String(workers), ...toRow(rest) })),
      figures,
      verdicts: [atLeast('calls a second of 4 workers, against 1', growth, 3.8, ' ×')],
    };
  },
};
