/** What operators do with dead letters: run them again, or throw them away. Each is in the audit. */
import type { RecordChange } from '../audit/operator-change.ts';
import { Fault } from '../faults.ts';
import type { InvocationId } from '../ids.ts';
import type { Tenant } from '../tenants/tenant.ts';
import type { DeadLetterStore } from './dead-letter-store.ts';

export interface OperatePorts {
  readonly letters: DeadLetterStore;
  readonly recordChange: RecordChange;
}

export interface Replayed {
  readonly replayed: number;
  readonly refused: readonly { readonly id: InvocationId; readonly why: string }[];
}

export async function replayLetters(
  tenant: Tenant,
  ids: readonly InvocationId[],
  { letters, recordChange }: OperatePorts,
): Promise<Replayed> {
  const refused: { id: InvocationId; why: string }[] = [];
  let replayed = 0;
  for (const id of ids) {
    try {
      if (await letters.replay(tenant, id)) replayed += 1;
      recordChange(tenant, { action: 'dead-letters/replay', subject: id, decision: 'allowed' });
    } catch (error) {
      if (!(error instanceof Fault)) throw error;
      refused.push({ id, why: error.message });
    }
  }
  return { replayed, refused };
}

/** Resolves with how many there were. */
export async function discardLetters(
  tenant: Pick<Tenant, 'id' | 'shard'>,
  ids: readonly InvocationId[],
  { letters, recordChange }: OperatePorts,
): Promise<number> {
  for (const id of ids) {
    recordChange(tenant, { action: 'dead-letters/discard', subject: id, decision: 'allowed' });
  }
  return letters.discard(tenant, ids);
}
