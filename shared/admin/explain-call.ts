/** Why a call was slow, or refused, from what was written down when it happened. Pure. */
import type { FaultCode } from '../faults.ts';
import type { LeaseEvent } from '../queue/lease-record.ts';
import type { AuditRow, CallStep, CallView } from './api.ts';

export interface CallFacts {
  /** As `lease-record.ts` names it. */
  readonly call: string;
  readonly tenant: string;
  readonly cap: number;
  /** Of the whole shard, oldest first, from before the call to after it. */
  readonly events: readonly LeaseEvent[];
  readonly audit: AuditRow | undefined;
  readonly reply: CallView['reply'];
  /** Who settled it, or runs it. */
  readonly worker: string | undefined;
  readonly state: CallView['state'];
  readonly now: number;
}

/** What the fault codes of refusals mean to whoever is asked about them. */
const rules: Partial<Readonly<Record<FaultCode, string>>> = {
  quota_exceeded:
    'Refused by a rate: its tenant, its user or its tool had no call left in this minute. The limits are requestsPerMinute, userRequestsPerMinute and tools.',
  backlog_full:
    'Refused by the backlog: as many calls, or bytes of arguments, were waiting as its tenant may have.',
  unknown_tool: 'Refused: there is no such tool, or its user may not use it.',
  invalid_arguments: 'Refused: its arguments did not fit the tool.',
  tenant_suspended: 'Refused: its tenant is suspended.',
  overloaded: 'Refused: Redis or DynamoDB did not answer, or Redis was nearly full.',
  idempotency_conflict: 'Refused: its idempotency key had been used for other arguments.',
  payload_too_large: 'Refused: its arguments were too large.',
};

export function explainCall(facts: CallFacts): readonly string[] {
  const { audit, reply, state } = facts;
  if (audit?.decision === 'refused') {
    const rule = audit.rule ?? 'unknown';
    return [Object.entries(rules).find(([code]) => code === rule)?.[1] ?? `Refused: ${rule}.`];
  }
  const ending = reply?.message ?? reply?.fault ?? reply?.status ?? audit?.outcome;
  return [
    ...explainWait(facts),
    ...explainRuns(facts),
    ...(state === 'ended' && ending !== undefined
      ? [`It ended: ${ending}.`.replace('..', '.')]
      : []),
  ];
}

function explainWait(facts: CallFacts): readonly string[] {
  const { cap, state, now } = facts;
  const own = ownEvents(facts);
  const admitted = own.find(({ kind }) => kind === 'admitted')?.at;
  if (admitted === undefined) return [];
  const granted = own.find(({ kind }) => kind === 'granted')?.at;
  const ended = own.find(({ kind }) => kind === 'removed')?.at;
  const until = granted ?? ended ?? now;
  const waited = until - admitted;
  const atCap = timeAtCap(facts, admitted, until);
  const start =
    granted !== undefined
      ? `It waited ${toText(waited)} for a slot.`
      : state === 'waiting'
        ? `It has waited ${toText(waited)} so far.`
        : `It waited ${toText(waited)} and never started.`;
  if (waited < 20) return [start];
  const share = Math.round((atCap / waited) * 100);
  if (cap === 0) return [start, 'Its tenant has a cap of 0: none of its calls start.'];
  return share >= 50
    ? [
        start,
        `Its tenant ran ${cap} calls, its cap, for ${share} % of that time. Raise limits.concurrency, or expect this.`,
      ]
    : [
        start,
        'Its tenant had room under its cap: every slot of the cluster was busy, or nothing could be started. More workers would help.',
      ];
}

function explainRuns(facts: CallFacts): readonly string[] {
  const { state, worker, now } = facts;
  const own = ownEvents(facts);
  const grants = own.filter(({ kind }) => kind === 'granted');
  const last = grants.at(-1);
  if (!last) return [];
  const settled = own.find(({ kind }) => kind === 'settled')?.at;
  const where = worker === undefined ? '' : ` on ${worker}`;
  const ran = toText((settled ?? now) - last.at);
  return [
    ...(grants.length > 1
      ? [`It was started ${grants.length} times: a worker was lost, or handed it back.`]
      : []),
    state === 'running' ? `It has run for ${ran}${where}.` : `It ran for ${ran}${where}.`,
  ];
}

/** Ms of that span in which the tenant ran as many calls as its cap allows. */
function timeAtCap({ tenant, cap, events, call }: CallFacts, from: number, to: number): number {
  const first = events[0]?.at ?? from;
  const steps: { readonly at: number; readonly step: number }[] = [];
  const running = new Set<string>();
  for (const event of events) {
    if (!('call' in event) || event.tenant !== tenant || event.call === call) continue;
    if (event.kind === 'granted') {
      running.add(event.call);
      steps.push({ at: event.at, step: 1 });
    } else if (event.kind !== 'admitted') {
      // It ran when the record that we have begins.
      if (!running.delete(event.call) && event.kind === 'settled')
        steps.push({ at: first, step: 1 });
      else if (event.kind === 'removed') continue;
      steps.push({ at: event.at, step: -1 });
    }
  }
  steps.sort((a, b) => a.at - b.at);
  let count = 0;
  let since = first;
  let total = 0;
  for (const { at, step } of [...steps, { at: to, step: 0 }]) {
    if (count >= cap) total += Math.max(0, Math.min(at, to) - Math.max(since, from));
    count += step;
    since = at;
  }
  return total;
}

const stepTexts: Partial<Readonly<Record<LeaseEvent['kind'], string>>> = {
  admitted: 'Accepted, in line',
  granted: 'Started by a worker',
  waits: 'Back in line',
  settled: 'Settled',
  removed: 'Ended without running',
};

export function toTimeline(facts: CallFacts): readonly CallStep[] {
  const { audit } = facts;
  const steps = ownEvents(facts).flatMap(({ at, kind }) => {
    const what = stepTexts[kind];
    return what === undefined ? [] : [{ at, what }];
  });
  if (!audit) return steps;
  const what =
    audit.decision === 'refused' ? `Refused: ${audit.rule ?? ''}` : 'Answered, and in the audit';
  return [...steps, { at: audit.at, what }];
}

const ownEvents = ({ events, call }: CallFacts): readonly LeaseEvent[] =>
  events.filter((event) => 'call' in event && event.call === call);

const toText = (ms: number): string =>
  ms < 1_000 ? `${Math.round(ms)} ms` : `${(ms / 1_000).toFixed(1)} s`;
