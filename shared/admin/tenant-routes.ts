/** What the console shows of tenants: all of them in pages, and one with its limits and people. */
import { z } from 'zod';
import type { AuditLog } from '../audit/audit-log.ts';
import type { DeadLetterStore } from '../dead-letters/dead-letter-store.ts';
import { TenantId } from '../ids.ts';
import type { SessionStore } from '../sessions/session-store.ts';
import { keyId } from '../tenants/api-keys.ts';
import type { TenantStore } from '../tenants/tenant-store.ts';
import type { Tenant } from '../tenants/tenant.ts';
import type { DeadLetterRow, TenantView } from './api.ts';
import { readAuditPage } from './audit-page.ts';
import { readCall, type CallPorts } from './call-view.ts';
import { readLimitUse, type LimitUsePorts } from './limit-use.ts';
import { Refusal } from './refusal.ts';
import type { Roster } from './roster.ts';
import type { ConsoleRoute } from './route.ts';

export interface TenantPorts extends LimitUsePorts, CallPorts {
  readonly store: TenantStore;
  readonly roster: Roster;
  readonly sessions: SessionStore;
  readonly letters: DeadLetterStore;
  readonly auditLog: AuditLog;
}

const rowsShown = 100;

const List = z.object({
  search: z.string().max(200).default(''),
  sort: z.enum(['id', 'use', 'waiting', 'refused']).default('id'),
  page: z.coerce.number().int().min(0).default(0),
});
const One = z.object({ tenant: TenantId });
const Call = One.extend({ call: z.string().max(64) });
const From = z.object({ before: z.coerce.number().int().min(1).optional() });

export function tenantRoutes(ports: TenantPorts): readonly ConsoleRoute[] {
  const one = async (params: unknown): Promise<Tenant> =>
    readTenant(One.parse(params).tenant, ports.store);
  return [
    {
      method: 'GET',
      path: '/tenants',
      handle: ({ query }) => ports.roster.page(List.parse(query)),
    },
    {
      method: 'GET',
      path: '/tenants/:tenant',
      handle: async ({ params }) => view(await one(params), ports),
    },
    {
      method: 'GET',
      path: '/tenants/:tenant/keys',
      handle: async ({ params }) => listKeys(await one(params), ports),
    },
    {
      method: 'GET',
      path: '/tenants/:tenant/audit',
      handle: async ({ params, query }) =>
        readAuditPage((await one(params)).id, From.parse(query).before, ports.auditLog),
    },
    {
      method: 'GET',
      path: '/tenants/:tenant/calls/:call',
      async handle({ params }) {
        const found = await readCall(await one(params), Call.parse(params).call, ports);
        if (!found) throw new Refusal(404, 'Nothing is known of this call any more.');
        return found;
      },
    },
  ];
}

/** @throws {Refusal} if there is none. */
export async function readTenant(
  id: TenantId,
  store: Pick<TenantStore, 'readTenant'>,
): Promise<Tenant> {
  const tenant = await store.readTenant(id);
  if (!tenant) throw new Refusal(404, `There is no tenant ${id}.`);
  return tenant;
}

async function view(tenant: Tenant, ports: TenantPorts): Promise<TenantView> {
  const { store, sessions, letters } = ports;
  const [limits, users, open, deadLetters, deadLetterCount] = await Promise.all([
    readLimitUse(tenant, ports),
    store.listUsers(tenant.id),
    sessions.list(tenant),
    letters.list(tenant, { newest: rowsShown }),
    letters.count(tenant),
  ]);
  const { id, name, status, weight, shard, version } = tenant;
  return {
    ...{ id, name, status, weight, shard, version, limits, users, deadLetterCount },
    sessions: open.slice(-rowsShown).reverse(),
    sessionCount: open.length,
    deadLetters: deadLetters.map(toLetterRow),
  };
}

/** Without arguments: the console is no place to read them. */
function toLetterRow(letter: DeadLetterRow): DeadLetterRow {
  const { id, failedAt, tool, user, code, message, cause, attempts } = letter;
  return { id, failedAt, tool, user, code, message, cause, attempts };
}

/** Reads the whole table, and so only when somebody asks for it. */
async function listKeys({ id }: Tenant, { store }: TenantPorts): Promise<object> {
  const keys = await store.listKeys(id);
  return { keys: keys.map(({ hash, key }) => ({ id: keyId(hash), ...key })) };
}
