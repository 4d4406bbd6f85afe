/** The load client's process: runs one load after the other, as it is told. */
import { runLoad } from './run-load.ts';
import type { Load } from './load.ts';

let stopping = new AbortController();
process.on('message', (load: Load | 'stop') => {
  if (load === 'stop') return stopping.abort();
  stopping = new AbortController();
  return void runLoad(load, stopping.signal).then(
    (measured) => process.send?.({ measured }),
    (error: unknown) => process.send?.({ problem: String(error) }),
  );
});
process.on('disconnect', () => process.exit());
process.send?.('ready');
