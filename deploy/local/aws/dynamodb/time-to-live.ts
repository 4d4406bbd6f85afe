/** Takes away items whose time to live is over, some seconds late, as the service does within days. */
import { removeItem, type Tables } from './tables.ts';

const sweepEveryMs = 3_000;
/** The service leaves times further back than this alone: they are likely no times at all. */
const maxAgeSeconds = 5 * 365 * 86_400;

/** Returns a function that ends the sweeps. */
export function startSweeping(tables: Tables): () => void {
  const timer = setInterval(() => sweep(tables), sweepEveryMs);
  timer.unref();
  return () => clearInterval(timer);
}

function sweep(tables: Tables): void {
  const now = Math.floor(Date.now() / 1_000);
  for (const table of tables.all()) {
    const { ttlAttribute } = table.definition;
    if (ttlAttribute === undefined) continue;
    for (const item of table.items.values()) {
      const expires = item[ttlAttribute];
      if (!expires || !('N' in expires)) continue;
      const seconds = Number(expires.N);
      if (seconds < now && seconds > now - maxAgeSeconds) removeItem(table, item);
    }
  }
}
