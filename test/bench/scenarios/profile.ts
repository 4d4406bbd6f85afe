/** Where ingress and worker spend their time: a CPU profile of each, for Chrome's DevTools. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { openInspector, withProfile } from '../measure/inspector.ts';
import { startMesh } from '../targets/mesh.ts';
import type { Scenario } from './scenario.ts';

const inFlight = 64;

export const profile: Scenario = {
  name: 'profile',
  async run({ warmUpSeconds, seconds, eras, profiles }, { client, say }) {
    await using mesh = await startMesh({ tenants: 100 });
    const rows = [];
    await mkdir(profiles, { recursive: true });
    for (const era of eras) {
      const load = { url: mesh.url, era, call: mesh.echo, connections: inFlight, ...mesh.access };
      say(`Warming up, ${era}`);
      await client.run({ ...load, seconds: warmUpSeconds });
      for (const { name, pid, logFile } of mesh.nodes) {
        say(`Profiling ${name}, ${era}`);
        using inspector = await openInspector(pid, logFile);
        const { text, result } = await withProfile(inspector, () =>
          client.run({ ...load, seconds }),
        );
        const file = join(profiles, `${name}-${era}.cpuprofile`);
        await writeFile(file, text);
        rows.push({ process: name, era, 'calls/s': result.callsPerSecond, file });
      }
    }
    return { rows, figures: rows, verdicts: [] };
  },
};
