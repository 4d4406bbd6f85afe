/** Who acts for a tenant: its users, their keys, and the sessions of older clients. */
import { useEffect, useState } from 'preact/hooks';
import type { KeyRow, TenantView } from '../../shared/admin/api.ts';
import { ProposeButton } from './changes.tsx';
import { count, moment } from './format.ts';
import { Table } from './table.tsx';
import { useAnswer } from './use-answer.ts';

interface PeopleProps {
  readonly tenant: TenantView;
  readonly path: string;
}

export function Users({ tenant: { id, users }, path }: PeopleProps) {
  return (
    <Table
      caption="Users"
      none="No users."
      columns={[
        { name: 'User' },
        { name: 'Role' },
        { name: 'Further permissions' },
        { name: 'Change', isActions: true },
      ]}
      rows={users.map((user) => ({
        key: user.id,
        cells: [
          user.id,
          user.role,
          user.permissions.join(', '),
          <ProposeButton
            label={`Remove user ${user.id}`}
            change={{
              title: `Remove ${user.id} from ${id}?`,
              text: 'The user is refused from now on, and all keys that stand for it are revoked.',
              verb: 'Remove',
              path: `${path}/users/remove`,
              body: { user: user.id },
            }}
          >
            Remove
          </ProposeButton>,
        ],
      }))}
    />
  );
}

/** Keys are found by reading the whole table: only when somebody wants to see them. */
export function Keys({ path, changes }: PeopleProps & { readonly changes: number }) {
  const [isOpen, setOpen] = useState(false);
  const question = isOpen ? `${path}/keys` : undefined;
  const { answer, problem, reload } = useAnswer<{ readonly keys: readonly KeyRow[] }>(question);
  useEffect(reload, [changes]);
  if (!isOpen) {
    return (
      <section class="card" aria-labelledby="keys">
        <div class="section-title">
          <h2 id="keys">API keys</h2>
          <button type="button" onClick={() => setOpen(true)}>
            Show keys
          </button>
        </div>
      </section>
    );
  }
  if (!answer) {
    return (
      <p class="problem" role="alert">
        {problem}
      </p>
    );
  }
  return (
    <Table
      caption="API keys"
      none="No keys."
      columns={[
        { name: 'Key id' },
        { name: 'User' },
        { name: 'Created' },
        { name: 'Expires' },
        { name: 'Change', isActions: true },
      ]}
      rows={answer.keys.map(({ id, user, createdAt, expiresAt }) => ({
        key: id,
        cells: [
          <code>{id}</code>,
          user,
          moment(createdAt),
          expiresAt === undefined ? 'never' : moment(expiresAt),
          <ProposeButton
            label={`Revoke key ${id}`}
            change={{
              title: `Revoke key ${id}?`,
              text: `It stands for ${user} and is worthless everywhere within seconds. This cannot be undone.`,
              verb: 'Revoke',
              path: `${path}/keys/revoke`,
              body: { key: id },
            }}
          >
            Revoke
          </ProposeButton>,
        ],
      }))}
    />
  );
}

export function Sessions({ tenant: { sessions, sessionCount }, path }: PeopleProps) {
  const more = sessionCount > sessions.length ? `, the newest of ${count(sessionCount)}` : '';
  return (
    <Table
      caption={`Sessions of 2025-era clients${more}`}
      none="No sessions of 2025-era clients."
      columns={[
        { name: 'Session' },
        { name: 'User' },
        { name: 'Client' },
        { name: 'Last used' },
        { name: 'Change', isActions: true },
      ]}
      rows={sessions.map(({ id, user, client, lastSeenAt }) => ({
        key: id,
        cells: [
          <code>{id}</code>,
          user,
          client,
          moment(lastSeenAt),
          <ProposeButton
            label={`End session ${id}`}
            change={{
              title: 'End this session?',
              text: `The client of ${user} must initialize again. Its key stays good.`,
              verb: 'End',
              path: `${path}/sessions/revoke`,
              body: { session: id },
            }}
          >
            End
          </ProposeButton>,
        ],
      }))}
    />
  );
}
