/** Counts what becomes of leases, where a worker hears of it. */
import type { InvocationQueue } from '../queue/invocation-queue.ts';
import type { Metrics } from './metrics.ts';

export function meterQueue(queue: InvocationQueue, metrics: Metrics): InvocationQueue {
  const leases = metrics.counter(
    'agent_mesh_leases_total',
    'Leases by what became of them: settled, released, or lost before either',
    ['event'],
  );
  const recoveries = metrics.counter(
    'agent_mesh_recoveries_total',
    'Calls put back in line by this worker since their lease had run out',
    [],
  );
  const expirations = metrics.counter(
    'agent_mesh_expirations_total',
    'Calls ended by this worker at their deadline, still waiting',
    [],
  );
  // Told from the start: an alert needs a zero to see the first one.
  leases.add({ event: 'lost' }, 0);
  recoveries.add({}, 0);
  expirations.add({}, 0);

  return {
    ...queue,
    async settle(...ending) {
      const settlement = await queue.settle(...ending);
      leases.add({ event: settlement.settled ? 'settled' : 'lost' });
      return settlement;
    },
    async release(lease) {
      const released = await queue.release(lease);
      leases.add({ event: released ? 'released' : 'lost' });
      return released;
    },
    async sweep(shard) {
      const swept = await queue.sweep(shard);
      recoveries.add({}, swept.recovered.length);
      expirations.add({}, swept.expired.length);
      return swept;
    },
  };
}
