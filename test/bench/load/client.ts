/** The load client's process: runs one load after the other, as it is told. */
import { runLoad } from './run-load.ts';
import type { Load } from './load.ts';

process.on('message', (load: Load) => {
  void runLoad(load).then(
    (measured) => process.send?.({ measured }),
    (error: unknown) => process.send?.({ problem: String(error) }),
  );
});
process.on('disconnect', () => process.exit());
process.send?.('ready');
