/** The record of a tenant that a command names. */
import { SetupError } from '../../deploy/local/setup-error.ts';
import type { TenantId } from '../../shared/ids.ts';
import type { Tenant } from '../../shared/tenants/tenant.ts';
import type { Connection } from './connect.ts';

/** @throws {SetupError} if there is none. */
export async function readTenant(
  { store }: Pick<Connection, 'store'>,
  id: TenantId,
): Promise<Tenant> {
  const tenant = await store.readTenant(id);
  if (!tenant) throw new SetupError(`There is no tenant ${id}.`);
  return tenant;
}
