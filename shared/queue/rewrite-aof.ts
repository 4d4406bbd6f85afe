/**
 * A power failure may tear the append-only file in the middle of a transaction. Redis (seen with 7.0)
 * leaves the transaction out at the load that follows, but keeps its beginning in the file, and
 * runs that at the load after: half a transition would come back, under calls that were made since.
 * A file that is written anew from memory holds no such beginning.
 */
import type { Redis } from 'ioredis';
import { infoField } from './redis-info.ts';
import { mastersOf } from './redis.ts';

/** Starts it, where there is such a file. Best effort: it may be forbidden, or under way already. */
export async function rewriteAof(redis: Redis): Promise<void> {
  await Promise.allSettled(
    mastersOf(redis).map(async (server) => {
      const info = await server.info('persistence');
      if (infoField(info, 'aof_enabled') === '1') await server.bgrewriteaof();
    }),
  );
}
