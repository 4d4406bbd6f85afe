/** Calls that failed through no fault of their caller: to be run again, or thrown away. */
import type { DeadLetterRow, TenantView } from '../../shared/admin/api.ts';
import { ProposeButton } from './changes.tsx';
import { count, moment } from './format.ts';
import { callLink } from './route.ts';
import { Table } from './table.tsx';

interface DeadLettersProps {
  readonly tenant: TenantView;
  readonly path: string;
}

export function DeadLetters({ tenant, path }: DeadLettersProps) {
  const { id, deadLetters, deadLetterCount } = tenant;
  const more =
    deadLetterCount > deadLetters.length ? `, the newest of ${count(deadLetterCount)}` : '';
  return (
    <Table
      caption={`Dead letters${more}`}
      none="No dead letters."
      columns={[
        { name: 'Call' },
        { name: 'Failed' },
        { name: 'Tool' },
        { name: 'User' },
        { name: 'Why' },
        { name: 'Starts', isNumber: true },
        { name: 'Change', isActions: true },
      ]}
      rows={deadLetters.map((letter) => ({
        key: letter.id,
        cells: [
          <a href={callLink(id, letter.id)}>
            <code>{letter.id.slice(0, 12)}…</code>
          </a>,
          moment(letter.failedAt),
          letter.tool ?? '',
          letter.user ?? '',
          <span class="wrap">
            {letter.code}: {letter.cause ?? letter.message}
          </span>,
          count(letter.attempts),
          <span class="buttons">
            <Replay letter={letter} path={path} />
            <Discard letter={letter} path={path} />
          </span>,
        ],
      }))}
    />
  );
}

interface LetterProps {
  readonly letter: DeadLetterRow;
  readonly path: string;
}

function Replay({ letter: { id, tool = 'unknown tool', code }, path }: LetterProps) {
  const warning =
    code === 'outcome_unknown'
      ? ' It may already have had its effect, which would be repeated.'
      : '';
  return (
    <ProposeButton
      label={`Replay ${id}`}
      change={{
        title: `Run this call of ${tool} again?`,
        text: `It runs under its own id, with all its arguments.${warning}`,
        verb: 'Replay',
        path: `${path}/dead-letters/replay`,
        body: { ids: [id] },
      }}
    >
      Replay
    </ProposeButton>
  );
}

function Discard({ letter: { id, tool = 'unknown tool' }, path }: LetterProps) {
  return (
    <ProposeButton
      label={`Discard ${id}`}
      change={{
        title: `Throw this call of ${tool} away?`,
        text: 'It cannot be run again after that.',
        verb: 'Discard',
        path: `${path}/dead-letters/discard`,
        body: { ids: [id] },
      }}
    >
      Discard
    </ProposeButton>
  );
}
