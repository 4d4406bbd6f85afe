/** One tenant: what it may and does, who acts for it, what failed, what was decided. */
import { useState } from 'preact/hooks';
import type { SignedIn, TenantView } from '../../shared/admin/api.ts';
import { AuditSection } from './audit-section.tsx';
import { Changes, ProposeButton } from './changes.tsx';
import { DeadLetters } from './dead-letters.tsx';
import { LimitsSection } from './limits-section.tsx';
import { Keys, Sessions, Users } from './people.tsx';
import { callLink } from './route.ts';
import { Title } from './title.tsx';
import { useAnswer } from './use-answer.ts';

const everyMs = 3_000;

interface TenantPageProps {
  readonly id: string;
  readonly session: SignedIn;
}

export function TenantPage({ id, session }: TenantPageProps) {
  const path = `/tenants/${encodeURIComponent(id)}`;
  const { answer, problem, reload } = useAnswer<TenantView>(path, everyMs);
  const [changes, setChanges] = useState(0);
  if (!answer) {
    return (
      <>
        <Title text={id} />
        <p class="problem" role="alert">
          {problem}
        </p>
      </>
    );
  }
  const onChanged = (): void => {
    reload();
    setChanges(changes + 1);
  };
  return (
    <Changes mayChange={session.role === 'operator'} onChanged={onChanged}>
      <Title text={answer.id}>
        <span class={answer.status === 'active' ? 'tag' : 'tag bad'}>{answer.status}</span>
        <span class="quiet">
          {answer.name} · weight {answer.weight} · shard {answer.shard} · version {answer.version}
        </span>
        <StatusButton tenant={answer} path={path} />
      </Title>
      <p class="problem" role="alert">
        {problem}
      </p>
      <LimitsSection tenant={answer} path={path} changes={changes} />
      <FindCall tenant={answer.id} />
      <Users tenant={answer} path={path} />
      <Keys tenant={answer} path={path} changes={changes} />
      <Sessions tenant={answer} path={path} />
      <DeadLetters tenant={answer} path={path} />
      <AuditSection tenant={answer.id} path={path} changes={changes} />
    </Changes>
  );
}

interface PartProps {
  readonly tenant: TenantView;
  readonly path: string;
}

function StatusButton({ tenant: { id, status, version }, path }: PartProps) {
  const isActive = status === 'active';
  const change = {
    title: isActive ? `Suspend ${id}?` : `Resume ${id}?`,
    text: isActive
      ? 'All its callers are refused from now on. Calls already accepted still run.'
      : 'Its callers are served again.',
    verb: isActive ? 'Suspend' : 'Resume',
    path: `${path}/status`,
    body: { version, status: isActive ? 'suspended' : 'active' },
  };
  return <ProposeButton change={change}>{change.verb}</ProposeButton>;
}

/** Logs and clients name calls by id. */
function FindCall({ tenant }: { readonly tenant: string }) {
  const [call, setCall] = useState('');
  return (
    <form
      class="search"
      onSubmit={(event) => {
        event.preventDefault();
        if (call.trim() !== '') location.hash = callLink(tenant, call.trim());
      }}
    >
      <label for="call">Find a call by its id</label>
      <input
        id="call"
        spellcheck={false}
        value={call}
        onInput={({ currentTarget }) => setCall(currentTarget.value)}
      />
      <button type="submit">Show</button>
    </form>
  );
}
