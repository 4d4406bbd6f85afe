import { kvGet } from '../../../shared/tools/kv-get.ts';
import { implement } from '../implement.ts';

/** Handler of `kv_get`. */
export const getKv = implement(kvGet, async ({ key }, { aws }) => ({
  value: (await aws.readKv(key)) ?? null,
}));
