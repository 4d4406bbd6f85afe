import { kvSet } from '../../../shared/tools/kv-set.ts';
import { implement } from '../implement.ts';

const hourMs = 3_600_000;

/** Handler of `kv_set`. */
export const setKv = implement(kvSet, async ({ key, value, ttl_hours: hours }, { aws }) => {
  await aws.writeKv(key, value, hours === 0 ? undefined : hours * hourMs);
  return { success: true as const };
});
