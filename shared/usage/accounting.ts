/**
 * Room for a write before it happens. A call reserves what it may add at most, writes, and settles
 * for what it added in fact; so the totals never lag behind what is stored.
 *
 * What a dead call left reserved is settled by whoever comes by after its deadline, by comparing
 * with what is stored.
 */
import { changeUsage, type UsageChange, type UsagePorts } from './usage-item.ts';
import { hourMs, type Reservation, type UsageState } from './usage-state.ts';

export interface Accounting {
  readonly usage: UsagePorts;
  /** The tenant's limits as they are now. */
  limits(): Promise<{ readonly bytes: number; readonly objects: number }>;
  /** Ends a reservation whose call is over, as far as what is stored tells how. */
  reconcile(name: string, reservation: Reservation, state: UsageState): Promise<UsageState>;
}

export interface Reserved {
  /** False if there was not enough room. */
  readonly done: boolean;
  readonly state: UsageState;
}

/** Longer than any lease, within which a call that has looked at the totals may still act on it. */
const purgeMarginMs = 15 * 60_000;
const purgedAtOnce = 50;
const maxRounds = 3;

/** Reserves, after making room of what has expired or was left over. An earlier attempt's reservation counts as done. */
export async function reserve(
  name: string,
  reservation: Reservation,
  accounting: Accounting,
  terms: Pick<UsageChange, 'purgedIn' | 'ends'> = {},
): Promise<Reserved> {
  const { bytes, objects } = reservation;
  for (let round = 1; ; round += 1) {
    const within = await accounting.limits();
    const begins = [name, reservation] as const;
    const answer = await changeUsage(
      { bytes, objects, within, begins, ...terms },
      accounting.usage,
    );
    if (answer.done || answer.state.reservations.has(name)) return { ...answer, done: true };
    if (round === maxRounds || !isUntidy(answer.state)) return answer;
    await tidy(answer.state, accounting);
  }
}

/** Gives a reservation back whose write did not happen and never will. */
export async function release(
  name: string,
  state: UsageState,
  accounting: Accounting,
): Promise<UsageState> {
  const reservation = state.reservations.get(name);
  if (!reservation) return state;
  const { bytes, objects } = reservation;
  // Refused only if it has ended already.
  const change = { bytes: -bytes, objects: -objects, ends: [name] };
  return (await changeUsage(change, accounting.usage)).state;
}

/** Settles by what `toChange` makes of the newest state, until it makes nothing of it or it is done. */
export async function settle(
  seen: UsageState,
  toChange: (state: UsageState) => UsageChange | undefined,
  accounting: Accounting,
): Promise<UsageState> {
  let state = seen;
  for (;;) {
    const change = toChange(state);
    if (!change) return state;
    const answer = await changeUsage(change, accounting.usage);
    state = answer.state;
    if (answer.done) return state;
  }
}

/** Whether calls have left something behind or an hour of expiry is over. */
export function isUntidy(state: UsageState): boolean {
  return leftOver(state).length > 0 || expiredHours(state).length > 0;
}

export async function tidy(seen: UsageState, accounting: Accounting): Promise<UsageState> {
  let state = seen;
  for (const [name, reservation] of leftOver(seen)) {
    state = await accounting.reconcile(name, reservation, state);
  }
  const hours = expiredHours(state);
  if (hours.length === 0) return state;
  // Refused if somebody else was faster, which is as good.
  return (await changeUsage({ purges: { hours, from: state } }, accounting.usage)).state;
}

/** The latest first: the write that was displaced last is the one whose outcome is plain. */
function leftOver({ reservations }: UsageState): [string, Reservation][] {
  const now = Date.now();
  return [...reservations]
    .filter(([, { until }]) => until < now)
    .sort(([, a], [, b]) => b.sequence - a.sequence);
}

/**
 * The hours of which everything has expired, for every clock and for every call that is under way:
 * a call may count on the size of a value that it found unexpired.
 */
function expiredHours({ hours, reservations }: UsageState): number[] {
  const oldest = Math.min(Date.now(), ...[...reservations.values()].map(({ since }) => since));
  return [...hours.keys()]
    .filter((hour) => (hour + 1) * hourMs + purgeMarginMs < oldest)
    .sort((a, b) => a - b)
    .slice(0, purgedAtOnce);
}
