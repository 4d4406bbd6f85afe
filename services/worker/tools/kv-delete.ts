import { kvDelete } from '../../../shared/tools/kv-delete.ts';
import { implement } from '../implement.ts';

/** Handler of `kv_delete`. */
export const deleteKv = implement(kvDelete, async ({ key }, { aws }) => ({
  deleted: await aws.deleteKv(key),
}));
