import { kvList } from '../../../shared/tools/kv-list.ts';
import { implement } from '../implement.ts';

/** Handler of `kv_list`. */
export const listKv = implement(kvList, async ({ prefix, cursor, limit }, { aws }) => {
  const page = await aws.listKv(prefix, cursor, limit);
  const keys = page.keys.map(({ key, expiresAt }) =>
    expiresAt === undefined ? { key } : { key, expires_at: new Date(expiresAt).toISOString() },
  );
  return page.cursor === undefined ? { keys } : { keys, cursor: page.cursor };
});
