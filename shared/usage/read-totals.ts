/** What a tenant holds in one store, after taking off what has expired or was left over. */
import { isUntidy, tidy, type Accounting } from './accounting.ts';
import { readUsage } from './usage-item.ts';
import type { UsageState } from './usage-state.ts';

export async function readTotals(accounting: Accounting): Promise<UsageState> {
  const state = await readUsage(accounting.usage);
  return isUntidy(state) ? tidy(state, accounting) : state;
}
