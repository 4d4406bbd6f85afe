/** Room for artifacts, and what puts and deletes have changed, whoever settles it and whenever. */
import { release, reserve, settle, type Accounting } from '../usage/accounting.ts';
import { artifactsFull } from '../usage/storage-full.ts';
import type { UsageChange, UsagePorts } from '../usage/usage-item.ts';
import {
  newReservation,
  reservationName,
  type Reservation,
  type UsageState,
} from '../usage/usage-state.ts';
import type { ArtifactsPorts } from './artifact-keys.ts';
import { readHead, type StoredArtifact } from './artifact-object.ts';

export interface ArtifactAccountingPorts {
  readonly usage: UsagePorts;
  readonly limits: Accounting['limits'];
}

export function createArtifactAccounting(
  ports: ArtifactsPorts & ArtifactAccountingPorts,
): Accounting {
  const accounting: Accounting = {
    usage: ports.usage,
    limits: ports.limits,
    async reconcile(name, reservation, state) {
      const stored = await readHead(reservation.key, ports);
      const { sequence } = reservation;
      if (stored?.sequence === sequence || stored?.displaced === sequence) {
        return settleArtifact(name, undefined, state, accounting);
      }
      // Several calls have put since. Had this one put before them, the one that displaced it would
      // settle it too; it may be under way still.
      if ((stored?.displaced ?? 0) > sequence && isContended(name, state)) return state;
      return release(name, state, accounting);
    },
  };
  return accounting;
}

/**
 * Room for putting `bytes` over what is `held`, or for deleting that (`bytes` undefined), by this call.
 * Takes the place of what the call had reserved before.
 * @throws {Fault} `storage_full`
 */
export async function reserveArtifact(
  key: string,
  bytes: number | undefined,
  held: StoredArtifact | undefined,
  ports: ArtifactsPorts & ArtifactAccountingPorts,
  terms: { readonly until?: number } = {},
): Promise<UsageState> {
  const accounting = createArtifactAccounting(ports);
  const name = reservationName(ports.call.sequence, key);
  const change = {
    bytes: (bytes ?? 0) - (held?.bytes ?? 0),
    objects: (bytes === undefined ? 0 : 1) - (held?.objects ?? 0),
  };
  const usual = newReservation(key, ports.call);
  const reservation: Reservation = {
    ...usual,
    bytes: Math.max(0, change.bytes),
    objects: Math.max(0, change.objects),
    until: terms.until ?? usual.until,
    change,
  };
  const { done, state } = await reserve(name, reservation, accounting);
  if (!done) throw artifactsFull(state, reservation, await accounting.limits());
  const own = state.reservations.get(name);
  if (own && isSame(own, reservation)) return state;
  // Made for what the key held before; that put was refused.
  await release(name, state, accounting);
  return reserveArtifact(key, bytes, held, ports, terms);
}

/** Ends the reservation as a put or delete that happened, and that of the put it displaced if its call has not. */
export function settleArtifact(
  name: string,
  displaced: string | undefined,
  seen: UsageState,
  accounting: Accounting,
): Promise<UsageState> {
  const toChange = (state: UsageState): UsageChange | undefined => {
    const own = state.reservations.get(name);
    if (!own) return undefined;
    const other = displaced === undefined ? undefined : state.reservations.get(displaced);
    const ended = other ? [own, other] : [own];
    return {
      bytes: sum(ended.map(({ bytes, change }) => (change?.bytes ?? 0) - bytes)),
      objects: sum(ended.map(({ objects, change }) => (change?.objects ?? 0) - objects)),
      ends: other && displaced ? [name, displaced] : [name],
      without: other ? undefined : displaced,
    };
  };
  return settle(seen, toChange, accounting);
}

export function displacedName(key: string, held: StoredArtifact | undefined): string | undefined {
  return held && held.sequence > 0 ? reservationName(held.sequence, key) : undefined;
}

function isSame(a: Reservation, b: Reservation): boolean {
  return a.change?.bytes === b.change?.bytes && a.change?.objects === b.change?.objects;
}

function isContended(name: string, { reservations }: UsageState): boolean {
  const key = reservations.get(name)?.key;
  return [...reservations].some(([other, each]) => other !== name && each.key === key);
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, each) => total + each, 0);
}
