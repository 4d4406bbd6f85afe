/** The tenant that every local cluster has, so that a first call needs no set-up. */
import { hashApiKey, newApiKey } from '../../shared/tenants/api-keys.ts';
import { applyTenants, type ApplyPorts } from '../../shared/tenants/apply-tenants.ts';
import { parseTenantsFile } from '../../shared/tenants/tenants-file.ts';
import type { DataFolder } from './data-folder.ts';

const declared = parseTenantsFile(`
tenants:
  - id: demo-tenant
    name: Demo
    users:
      - { id: user-demo-123, role: Admin }
`);

export interface Demo {
  readonly tenant: string;
  readonly user: string;
  readonly apiKey: string;
}

/** Makes what is missing; what an operator has changed since stays. The key outlives a restart. */
export async function ensureDemo(folder: DataFolder, ports: ApplyPorts): Promise<Demo> {
  const [tenant] = declared;
  const user = tenant?.users[0]?.id;
  if (!tenant || !user) throw new Error('the demo tenant has a user');
  const { store } = ports;
  if (!(await store.readTenant(tenant.id))) await applyTenants(declared, ports);

  const apiKey = await folder.secret('demo-key', newApiKey);
  const hash = hashApiKey(apiKey);
  if (!(await store.readKey(hash))) {
    await store.writeKey(hash, { tenant: tenant.id, user, createdAt: Date.now() });
  }
  return { tenant: tenant.id, user, apiKey };
}
