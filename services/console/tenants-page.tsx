/** All tenants: found by name, sorted by what they do now. */
import { useState } from 'preact/hooks';
import type { TenantPage, TenantRow, TenantSort } from '../../shared/admin/api.ts';
import { count } from './format.ts';
import { Meter } from './meter.tsx';
import { tenantLink } from './route.ts';
import { Table, type Column } from './table.tsx';
import { Title } from './title.tsx';
import { useAnswer } from './use-answer.ts';

const everyMs = 2_000;
const columns: readonly { readonly sort: TenantSort | undefined; readonly name: string }[] = [
  { sort: 'id', name: 'Tenant' },
  { sort: undefined, name: 'Name' },
  { sort: 'use', name: 'Running of cap' },
  { sort: 'waiting', name: 'Waiting' },
  { sort: 'refused', name: 'Refused, last hour' },
  { sort: undefined, name: 'Status' },
];

export function TenantsPage() {
  const [search, setSearch] = useState('');
  const [sort, setSort] = useState<TenantSort>('use');
  const [page, setPage] = useState(0);
  const question = new URLSearchParams({ search, sort, page: String(page) });
  const { answer, problem } = useAnswer<TenantPage>(`/tenants?${question.toString()}`, everyMs);

  const choose = (by: TenantSort): void => {
    setSort(by);
    setPage(0);
  };
  return (
    <>
      <Title text="Tenants">
        <form role="search" class="search" onSubmit={(event) => event.preventDefault()}>
          <label class="hidden" for="search">
            Search by id or name
          </label>
          <input
            id="search"
            type="search"
            placeholder="Search by id or name"
            value={search}
            onInput={({ currentTarget }) => {
              setSearch(currentTarget.value);
              setPage(0);
            }}
          />
        </form>
        <span role="status" class="quiet">
          {answer && `${count(answer.found)} of ${count(answer.total)} tenants`}
        </span>
      </Title>
      <p class="problem" role="alert">
        {problem}
      </p>
      {answer && (
        <>
          <Table
            caption="Tenants"
            isCaptionHidden
            none="No tenant fits."
            columns={columns.map((column) => toColumn(column, sort, choose))}
            rows={answer.rows.map(toRow)}
          />
          <Pages answer={answer} onGo={setPage} />
        </>
      )}
    </>
  );
}

function toColumn(
  { sort: by, name }: (typeof columns)[number],
  sort: TenantSort,
  choose: (by: TenantSort) => void,
): Column {
  const isNumber = by === 'waiting' || by === 'refused';
  if (by === undefined) return { name };
  const isChosen = by === sort;
  return {
    isNumber,
    ...(isChosen ? { sort: by === 'id' ? ('ascending' as const) : ('descending' as const) } : {}),
    name: (
      <button type="button" class="link-button" onClick={() => choose(by)}>
        {name}
        <span aria-hidden="true">{isChosen ? (by === 'id' ? ' ▲' : ' ▼') : ''}</span>
      </button>
    ),
  };
}

function toRow({ id, name, status, cap, running, waiting, refused }: TenantRow) {
  return {
    key: id,
    cells: [
      <a href={tenantLink(id)}>{id}</a>,
      name,
      <Meter label={`Running calls of ${id}`} used={running} limit={cap} />,
      count(waiting),
      count(refused),
      <span class={status === 'active' ? 'tag' : 'tag bad'}>{status}</span>,
    ],
  };
}

interface PagesProps {
  readonly answer: TenantPage;
  readonly onGo: (page: number) => void;
}

function Pages({ answer: { page, pages }, onGo }: PagesProps) {
  if (pages === 1) return null;
  return (
    <nav class="pages" aria-label="Pages of tenants">
      <button type="button" disabled={page === 0} onClick={() => onGo(page - 1)}>
        Previous
      </button>
      <span>
        Page {count(page + 1)} of {count(pages)}
      </span>
      <button type="button" disabled={page >= pages - 1} onClick={() => onGo(page + 1)}>
        Next
      </button>
    </nav>
  );
}
