/** A process that records calls one after the other until it is killed, and says which it has recorded. */
import { TenantId } from '../../shared/ids.ts';
import { aCall, openAudit, type Backends } from './an-audit.ts';

const [backends = '', tenant = '', prefix = '', count = '0'] = process.argv.slice(2);
const { audit, redis, close } = openAudit(JSON.parse(backends) as Backends);
const total = Number(count);

for (let made = 1; made <= total; made += 1) {
  audit.record(aCall({ id: TenantId.parse(tenant), shard: 0 }, `${prefix}-${made}`));
  // The answer to a call takes a turn through Redis, too.
  await new Promise(setImmediate);
  await redis.ping();
  process.send?.(made);
}
await close();
process.disconnect();
