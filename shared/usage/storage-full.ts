/** The fault of a write for which there is no room: what is held, the limit, and what to do. */
import { Fault } from '../faults.ts';
import type { UsageState } from './usage-state.ts';

export interface Room {
  readonly bytes: number;
  readonly objects: number;
}

export function kvFull(state: UsageState, needed: number, limit: Room): Fault {
  return new Fault(
    'storage_full',
    `The key-value store holds ${state.bytes} of ${limit.bytes} bytes; this value needs ${needed} more. Delete what is no longer needed (kv_list, kv_delete).`,
  );
}

export function artifactsFull(state: UsageState, needed: Room, limit: Room): Fault {
  const held =
    state.objects + needed.objects > limit.objects
      ? `${state.objects} of ${limit.objects} artifacts`
      : `${state.bytes} of ${limit.bytes} bytes; this artifact needs ${needed.bytes} more`;
  return new Fault(
    'storage_full',
    `The artifact store holds ${held}. Delete what is no longer needed (artifacts_list, artifacts_delete).`,
  );
}
