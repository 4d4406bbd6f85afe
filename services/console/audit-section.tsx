/** What was decided about a tenant, newest first. Every call leads to its own page. */
import { useEffect, useState } from 'preact/hooks';
import type { AuditPage, AuditRow } from '../../shared/admin/api.ts';
import { count, duration, moment } from './format.ts';
import { callLink } from './route.ts';
import { Table } from './table.tsx';
import { useAnswer } from './use-answer.ts';

interface AuditProps {
  readonly tenant: string;
  readonly path: string;
  /** Grows with every change made here. */
  readonly changes: number;
}

const newestEveryMs = 3_000;

export function AuditSection({ tenant, path, changes }: AuditProps) {
  const [before, setBefore] = useState<number>();
  const question = before === undefined ? `${path}/audit` : `${path}/audit?before=${before}`;
  const everyMs = before === undefined ? newestEveryMs : undefined;
  const { answer, problem, reload } = useAnswer<AuditPage>(question, everyMs);
  useEffect(reload, [changes]);
  const older = answer?.before;
  return (
    <>
      <Table
        caption="Audit"
        none={problem || (answer ? 'No decisions yet.' : 'Loading …')}
        columns={[
          { name: 'Entry', isNumber: true },
          { name: 'When' },
          { name: 'Decision' },
          { name: 'Who' },
          { name: 'What' },
          { name: 'Took', isNumber: true },
        ]}
        rows={(answer?.entries ?? []).map((entry) => toRow(tenant, entry))}
      />
      <div class="pages">
        {before !== undefined && (
          <button type="button" onClick={() => setBefore(undefined)}>
            Newest
          </button>
        )}
        {older !== undefined && (
          <button type="button" onClick={() => setBefore(older)}>
            Older
          </button>
        )}
      </div>
    </>
  );
}

function toRow(tenant: string, entry: AuditRow) {
  const { seq, at, user, credential, action, subject, decision, rule, outcome, ms, times } = entry;
  const isCall = action === 'tools/call';
  const how = [decision, rule ?? outcome].filter(Boolean).join(': ');
  const what = [isCall ? undefined : action, subject].filter(Boolean).join(' ');
  return {
    key: String(seq),
    cells: [
      count(seq),
      moment(at),
      <span class={decision === 'allowed' ? '' : 'bad'}>
        {how}
        {times === undefined ? '' : `, ${count(times)} times`}
      </span>,
      `${user}${credential === '' ? '' : ` (${credential})`}`,
      isCall ? <a href={callLink(tenant, entry.invocation ?? `#${seq}`)}>{what}</a> : what,
      ms === undefined ? '' : duration(ms),
    ],
  };
}
