/** The console of one ingress, from its connections; and what every ingress tells of itself to those of others. */
import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import type { FastifyInstance } from 'fastify';
import type { Redis } from 'ioredis';
import type { Audit } from '../audit/audit.ts';
import type { AuditLog } from '../audit/audit-log.ts';
import { createDeadLetterStore } from '../dead-letters/dead-letter-store.ts';
import { sensitiveOf, timeoutOf } from '../dead-letters/known-tools.ts';
import { createInvocationQueue } from '../queue/invocation-queue.ts';
import { createSessionStore } from '../sessions/session-store.ts';
import type { Log } from '../telemetry/log.ts';
import { createAnnouncer } from '../tenants/announce-tenant.ts';
import type { TenantChange } from '../tenants/tenant-changes.ts';
import type { TenantStore } from '../tenants/tenant-store.ts';
import { createAdminAccounts } from './accounts.ts';
import { changeRoutes } from './change-routes.ts';
import { watchCluster } from './cluster-watch.ts';
import { createConsole, type ConsoleOptions } from './console.ts';
import { createPace, type Pace } from './pace.ts';
import { announceProcess, type OwnFacts } from './processes.ts';
import type { RefusedCalls } from './refused-calls.ts';
import { createRoster } from './roster.ts';
import { tenantRoutes } from './tenant-routes.ts';
import { createVisits } from './visits.ts';

export interface OpenConsoleOptions extends ConsoleOptions {
  /** Of the ingress; unique. */
  readonly name: string;
  readonly version: string;
  readonly shards: number;
  readonly tenantsTable: string;
  readonly kvTable: string;
  readonly sessionIdleMs: number;
}

export interface OpenConsolePorts {
  readonly redis: Redis;
  readonly dynamo: DynamoDBClient;
  readonly store: TenantStore;
  readonly audit: Audit;
  readonly auditLog: AuditLog;
  readonly refused: RefusedCalls;
  readonly log: Log;
  readonly onProblem: (what: string, cause: unknown) => void;
}

export interface OpenConsole extends Pick<Pace, 'measure'> {
  readonly routes: (app: FastifyInstance) => Promise<void>;
  /** Tells the consoles of all ingresses that this one lives, again and again. */
  announce(read: () => Pick<OwnFacts, 'draining' | 'running'>): void;
  onTenantChange(change: TenantChange): void;
  close(): Promise<void>;
}

export function openConsole(options: OpenConsoleOptions, ports: OpenConsolePorts): OpenConsole {
  const { redis, dynamo, refused, log } = ports;
  const watch = watchCluster({ ...options, ...ports });
  const pace = createPace();
  const roster = createRoster({ ...ports, shards: options.shards });
  // Nothing is claimed here, so that the lease says nothing.
  const queue = createInvocationQueue(redis, { name: 'console', leaseMs: 1_000 });
  const shown = {
    ...ports,
    kvTable: options.kvTable,
    roster,
    sessions: createSessionStore(redis, { idleMs: options.sessionIdleMs }),
    letters: createDeadLetterStore({ redis, queue, sensitiveOf, timeoutOf }),
    announce: createAnnouncer(redis),
  };
  let leave = async (): Promise<void> => undefined;
  const routes = createConsole(options, {
    ...ports,
    accounts: createAdminAccounts({ dynamo, table: options.tenantsTable }),
    visits: createVisits(redis),
    watch,
    routes: [...tenantRoutes(shown), ...changeRoutes(shown)],
    onSignIn: (admin, address) =>
      admin === undefined
        ? log.warn({ address }, 'console: wrong token')
        : log.info({ admin, address }, 'console: signed in'),
  });
  return {
    routes,
    measure: (work) => pace.measure(work),
    announce(read) {
      const facts = () => ({ ...read(), ...pace.read(), refusals: refused.total });
      leave = announceProcess(redis, { ...options, kind: 'ingress' }, facts);
    },
    onTenantChange: (change) => roster.onTenantChange(change),
    async close() {
      watch.close();
      refused.close();
      await leave();
    },
  };
}
