/** What other rates would have made of recorded calls: the decisions of `rates.lua`, taken again. */
import { contracts } from '../../tools/catalog.ts';
import type { RecordedCall } from './recorded-calls.ts';
import type { Tenant } from '../tenant.ts';

export interface RateForecast {
  readonly accepted: number;
  readonly refused: number;
  /** Of the accepted: would be refused. */
  readonly newlyRefused: number;
  /** Of the refused: would be accepted, as far as there is room in the backlog. */
  readonly newlyAccepted: number;
}

const minuteMs = 60_000;
const costs: Readonly<Record<string, { readonly quotaCost: number }>> = contracts;

/** Calls in order. What a refused caller would have done instead is not known: it does not call again. */
export function replayRates(
  calls: readonly RecordedCall[],
  { limits, status }: Pick<Tenant, 'limits' | 'status'>,
): RateForecast {
  const arrivals = new Map<string, number>();
  const forecast = { accepted: 0, refused: 0, newlyRefused: 0, newlyAccepted: 0 };

  /** Whether every rate has room, which is then spent. */
  function spend({ at, user, tool }: RecordedCall): boolean {
    const cost = Object.hasOwn(costs, tool) ? (costs[tool]?.quotaCost ?? 1) : 1;
    const rates: readonly (readonly [string, number | undefined])[] = [
      ['tenant', limits.requestsPerMinute],
      [`user ${user}`, limits.userRequestsPerMinute],
      [`tool ${tool}`, limits.tools[tool]],
    ];
    const due = new Map<string, number>();
    for (const [subject, perMinute] of rates) {
      if (perMinute === undefined) continue;
      const from = Math.max(arrivals.get(subject) ?? 0, at);
      const arrival = from + (Math.min(cost, perMinute) * minuteMs) / perMinute;
      if (arrival - at > minuteMs) return false;
      due.set(subject, arrival);
    }
    for (const [subject, arrival] of due) arrivals.set(subject, arrival);
    return true;
  }

  for (const call of calls) {
    const wasAccepted = call.decision === 'accepted';
    forecast[wasAccepted ? 'accepted' : 'refused'] += call.times;
    let accepted = 0;
    if (status === 'active') while (accepted < call.times && spend(call)) accepted += 1;
    if (wasAccepted) forecast.newlyRefused += call.times - accepted;
    else forecast.newlyAccepted += accepted;
  }
  return forecast;
}
