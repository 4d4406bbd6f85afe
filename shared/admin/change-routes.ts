/**
 * What operators may change from the console: through the same functions as at the command line,
 * with the operator's own name in the audit of the tenant. What a viewer tries is in there too.
 */
import type { Redis } from 'ioredis';
import { z } from 'zod';
import type { Audit } from '../audit/audit.ts';
import type { AuditAction } from '../audit/entry.ts';
import { recordsOf, type RecordChange } from '../audit/operator-change.ts';
import type { DeadLetterStore } from '../dead-letters/dead-letter-store.ts';
import { discardLetters, replayLetters } from '../dead-letters/operate.ts';
import { InvocationId, TenantId, UserId } from '../ids.ts';
import { revokeSessions } from '../sessions/revoke-sessions.ts';
import type { SessionStore } from '../sessions/session-store.ts';
import { changeFields, setStatus } from '../tenants/change-tenant.ts';
import { removeUser, revokeKey } from '../tenants/revoke.ts';
import type { TenantStore } from '../tenants/tenant-store.ts';
import type { Tenant } from '../tenants/tenant.ts';
import { Refusal } from './refusal.ts';
import type { Ask, ConsoleRoute } from './route.ts';
import { readTenant } from './tenant-routes.ts';
import type { Visit } from './visits.ts';

export interface ChangePorts {
  readonly redis: Redis;
  readonly store: TenantStore;
  readonly sessions: SessionStore;
  readonly letters: DeadLetterStore;
  readonly audit: Audit;
  readonly announce: (tenant: Tenant) => Promise<void>;
}

const One = z.object({ tenant: TenantId });
const version = z.number().int();
const ids = z.array(InvocationId).min(1).max(1_000);

export function changeRoutes(ports: ChangePorts): readonly ConsoleRoute[] {
  const { store, sessions, letters } = ports;
  return [
    change('limits', 'tenants/update', ports, {
      body: z.strictObject({ version, fields: z.array(z.string().max(200)).min(1).max(50) }),
      async make(tenant, { version, fields }, recordChange) {
        assertSame(tenant, version);
        const written = await changeFields(tenant, fields, { ...ports, recordChange });
        return `Changed: ${fields.join(', ')}. Version ${written.version}.`;
      },
    }),
    change('status', 'tenants/suspend', ports, {
      body: z.strictObject({ version, status: z.enum(['active', 'suspended']) }),
      async make(tenant, { version, status }, recordChange) {
        assertSame(tenant, version);
        await setStatus(tenant, status, { ...ports, recordChange });
        return status === 'active' ? 'The tenant is active again.' : 'The tenant is suspended.';
      },
    }),
    change('keys/revoke', 'keys/revoke', ports, {
      body: z.strictObject({ key: z.string().regex(/^[0-9a-f]{12}$/) }),
      async make(tenant, body, recordChange) {
        const keys = await store.findKeys(body.key);
        const [found] = keys.filter(({ key }) => key.tenant === tenant.id);
        if (!found) throw new Refusal(404, 'There is no such key any more.');
        const { hash, key } = found;
        await revokeKey(tenant, { hash, user: key.user }, { ...ports, recordChange });
        return `Key ${body.key} is worthless now.`;
      },
    }),
    change('users/remove', 'users/remove', ports, {
      body: z.strictObject({ user: UserId }),
      async make(tenant, { user }, recordChange) {
        const keys = await removeUser(tenant, user, { ...ports, recordChange });
        if (keys === undefined) throw new Refusal(404, 'There is no such user any more.');
        return `Removed ${user}, and ${keys} ${keys === 1 ? 'key' : 'keys'}.`;
      },
    }),
    change('sessions/revoke', 'sessions/revoke', ports, {
      body: z.strictObject({ session: z.string().max(64) }),
      async make(tenant, { session }, recordChange) {
        const isMeant = ({ id }: { readonly id: string }): boolean => id === session;
        const ended = await revokeSessions(tenant, isMeant, { sessions, recordChange });
        if (ended === 0) throw new Refusal(404, 'There is no such session any more.');
        return 'The session is over.';
      },
    }),
    change('dead-letters/replay', 'dead-letters/replay', ports, {
      body: z.strictObject({ ids }),
      async make(tenant, { ids }, recordChange) {
        const { replayed, refused } = await replayLetters(tenant, ids, { letters, recordChange });
        const why = refused.map((each) => ` ${each.id}: ${each.why}`).join('');
        return `Replayed ${replayed} of ${ids.length}.${why}`;
      },
    }),
    change('dead-letters/discard', 'dead-letters/discard', ports, {
      body: z.strictObject({ ids }),
      async make(tenant, { ids }, recordChange) {
        return `Discarded ${await discardLetters(tenant, ids, { letters, recordChange })}.`;
      },
    }),
  ];
}

interface Change<Body extends z.ZodType> {
  readonly body: Body;
  /** Resolves with what was done, for a person. */
  readonly make: (
    tenant: Tenant,
    body: z.output<Body>,
    recordChange: RecordChange,
  ) => Promise<string>;
}

function change<Body extends z.ZodType>(
  path: string,
  action: AuditAction,
  { store, audit }: ChangePorts,
  { body, make }: Change<Body>,
): ConsoleRoute {
  const open = async ({ params, visit }: Ask): Promise<[Tenant, RecordChange]> => [
    await readTenant(One.parse(params).tenant, store),
    recordsOf(audit, whoOf(visit)),
  ];
  return {
    method: 'POST',
    path: `/tenants/:tenant/${path}`,
    async handle(ask) {
      const [tenant, recordChange] = await open(ask);
      return { done: await make(tenant, body.parse(ask.body), recordChange) };
    },
    async onForbidden(ask) {
      const [tenant, recordChange] = await open(ask);
      recordChange(tenant, { action, decision: 'refused', rule: 'viewer' });
    },
  };
}

const whoOf = ({ name }: Visit) => ({ user: name, credential: 'console' });

/** The change was decided on by what the page showed. */
function assertSame(tenant: Tenant, version: number): void {
  if (tenant.version === version) return;
  throw new Refusal(409, 'Somebody else changed this tenant meanwhile. Look again, then change.');
}
