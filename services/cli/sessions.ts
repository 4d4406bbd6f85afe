/** `mesh sessions`: the sessions of a tenant's 2025-era clients, and the keys that sign them. */
import { SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import type { Command } from 'commander';
import { z } from 'zod';
import { SetupError } from '../../deploy/local/setup-error.ts';
import type { RecordChange } from '../../shared/audit/operator-change.ts';
import { clusterSettings } from '../../shared/config/cluster.ts';
import { ingressSettings } from '../../shared/config/ingress.ts';
import { readConfig } from '../../shared/config/setting.ts';
import { rotateSigningKey } from '../../shared/identity/signing-secret.ts';
import { TenantId, UserId } from '../../shared/ids.ts';
import { revokeSessions } from '../../shared/sessions/revoke-sessions.ts';
import {
  createSessionStore,
  type SessionRecord,
  type SessionStore,
} from '../../shared/sessions/session-store.ts';
import type { Tenant } from '../../shared/tenants/tenant.ts';
import { withCluster, type Connection } from './connect.ts';
import { dataOption, type DataOptions } from './data-option.ts';
import { locateAws } from './locate.ts';
import { parsedBy } from './options.ts';
import type { CliPorts } from './ports.ts';
import { render } from './table.ts';

const SessionId = z.string().regex(/^[0-9a-f]{24}$/, 'must be 24 hex digits, as listed');

interface ListOptions extends DataOptions {
  readonly tenant: TenantId;
  readonly json?: boolean;
}

interface RevokeOptions extends DataOptions {
  readonly tenant: TenantId;
  readonly user?: UserId;
  readonly all?: boolean;
}

export function addSessionCommands(program: Command, ports: CliPorts): void {
  const sessions = program
    .command('sessions')
    .description('Lists and revokes the sessions of 2025-era clients');

  sessions
    .command('list')
    .description("a tenant's sessions, longest idle first")
    .requiredOption('--tenant <id>', 'the tenant', parsedBy(TenantId))
    .option('--json', 'print JSON')
    .addOption(dataOption())
    .action((options: ListOptions) => list(options, ports));

  sessions
    .command('revoke')
    .description(
      'end one session, those of a user, or all of a tenant; a client may open a new one',
    )
    .argument('[session id]', 'its id, as listed', parsedBy(SessionId))
    .requiredOption('--tenant <id>', 'the tenant', parsedBy(TenantId))
    .option('--user <id>', 'all sessions of this user', parsedBy(UserId))
    .option('--all', 'all sessions of the tenant')
    .addOption(dataOption())
    .action((id: string | undefined, options: RevokeOptions) => revoke(id, options, ports));

  sessions
    .command('rotate-keys')
    .description('sign with a new key; sessions stay good through one rotation')
    .addOption(dataOption())
    .action((options: DataOptions) => rotateKeys(options, ports));
}

async function list(options: ListOptions, ports: CliPorts): Promise<void> {
  const found = await withSessions(options, ports, (store, tenant) => store.list(tenant));
  const rows = found.map(({ id, user, client, createdAt, lastSeenAt }) => ({
    id,
    user,
    client,
    created: new Date(createdAt).toISOString(),
    'last seen': new Date(lastSeenAt).toISOString(),
  }));
  ports.print(render(rows, options, `Tenant ${options.tenant} has no sessions.`));
}

async function revoke(
  id: string | undefined,
  options: RevokeOptions,
  ports: CliPorts,
): Promise<void> {
  const { user, all } = options;
  if ([id, user, all].filter((each) => each !== undefined).length !== 1) {
    throw new SetupError('Name one of: a session id, --user, --all.');
  }
  const isMeant = (session: SessionRecord): boolean =>
    all === true || session.id === id || session.user === user;
  const ended = await withSessions(options, ports, (sessions, tenant, recordChange) =>
    revokeSessions(tenant, isMeant, { sessions, recordChange }),
  );
  if (id !== undefined && ended === 0) {
    throw new SetupError(`Tenant ${options.tenant} has no session ${id}.`);
  }
  ports.print(`Revoked ${ended} ${ended === 1 ? 'session' : 'sessions'}.`);
}

async function withSessions<Result>(
  { tenant: id, data }: DataOptions & { readonly tenant: TenantId },
  ports: CliPorts,
  work: (store: SessionStore, tenant: Tenant, recordChange: RecordChange) => Promise<Result>,
): Promise<Result> {
  const { sessionIdleMs } = ingressSettings;
  const settings = readConfig({ sessionIdleMs }, ports.environment);
  const run = async (connection: Connection) => {
    const tenant = await connection.store.readTenant(id);
    if (!tenant) throw new SetupError(`There is no tenant ${id}.`);
    const sessions = createSessionStore(connection.redis, { idleMs: settings.sessionIdleMs });
    return work(sessions, tenant, connection.recordChange);
  };
  return withCluster(ports, data, run);
}

async function rotateKeys({ data }: DataOptions, ports: CliPorts): Promise<void> {
  const { signingSecret } = ingressSettings;
  const { region } = clusterSettings;
  const settings = readConfig({ signingSecret, region }, ports.environment);
  const client = new SecretsManagerClient(await locateAws(ports, data, settings.region));
  try {
    const key = await rotateSigningKey({ client, name: settings.signingSecret });
    ports.print(`New sessions are signed with key ${key.id}.`);
  } finally {
    client.destroy();
  }
}
