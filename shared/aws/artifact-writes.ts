/**
 * Puts and deletes of artifacts: look, reserve, write on condition that nothing has changed since,
 * settle.
 *
 * The condition makes the writes to one key follow each other, each knowing the size of what it
 * takes away. The metadata holds the sequence number of the call that put, so that no call undoes a
 * later one's put, whether it runs again after a crash or was merely slow.
 */
import { DeleteObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3';
import { Fault } from '../faults.ts';
import { isUntidy, release, tidy } from '../usage/accounting.ts';
import { readUsage } from '../usage/usage-item.ts';
import { reservationName, type UsageState } from '../usage/usage-state.ts';
import {
  createArtifactAccounting,
  displacedName,
  reserveArtifact,
  settleArtifact,
  type ArtifactAccountingPorts,
} from './artifact-accounting.ts';
import { toAddress, type ArtifactsPorts } from './artifact-keys.ts';
import { presumeHead, readHead, toMetadata, type StoredArtifact } from './artifact-object.ts';
import { isDeletedSince, writeTombstone } from './artifact-tombstone.ts';
import { isMissing, isPreconditionFailed } from './aws-fault.ts';

export type ArtifactWritePorts = ArtifactsPorts & ArtifactAccountingPorts;

/** Each lost round means that another write has won, so a few are plenty. */
const maxRounds = 8;

/** @throws {Fault} `storage_full`; else rejects with the SDK's own errors. */
export async function writeArtifact(
  key: string,
  body: Uint8Array,
  contentType: string,
  ports: ArtifactWritePorts,
): Promise<void> {
  const { call, s3 } = ports;
  const accounting = createArtifactAccounting(ports);
  const name = reservationName(call.sequence, key);
  let state: UsageState | undefined;
  for (let round = 0; round < maxRounds; round += 1) {
    const held = await presumeHead(key, ports);
    if (held && held.sequence >= call.sequence) return concludePut(key, held, state, ports);
    if (!held && call.attempt > 1 && (await isDeletedSince(key, ports))) return;
    state = await reserveArtifact(key, body.byteLength, held, ports);
    const put = new PutObjectCommand({
      ...toAddress(key, ports),
      ...unchanged(held),
      Body: body,
      ContentType: contentType,
      Metadata: toMetadata(call.sequence, held),
    });
    if (await sent(() => s3.send(put, { abortSignal: call.signal }))) {
      const settled = await settleArtifact(name, displacedName(key, held), state, accounting);
      return tidyUp(settled, ports);
    }
  }
  await concludeLost(name, state, ports);
  throw contended();
}

/** Resolves with whether there was an artifact. Rejects with the SDK's own errors. */
export async function deleteArtifact(key: string, ports: ArtifactWritePorts): Promise<boolean> {
  const { call, s3 } = ports;
  const accounting = createArtifactAccounting(ports);
  const name = reservationName(call.sequence, key);
  await writeTombstone(key, ports);
  let state: UsageState | undefined;
  for (let round = 0; round < maxRounds; round += 1) {
    const held = await readHead(key, ports);
    if (!held || held.sequence > call.sequence) return concludeDelete(name, state, ports);
    state = await reserveArtifact(key, undefined, held, ports);
    const command = new DeleteObjectCommand({ ...toAddress(key, ports), IfMatch: held.etag });
    if (await sent(() => s3.send(command, { abortSignal: call.signal }))) {
      const settled = await settleArtifact(name, displacedName(key, held), state, accounting);
      await tidyUp(settled, ports);
      return true;
    }
  }
  await concludeLost(name, state, ports);
  throw contended();
}

/** The condition that what was looked at is still there. */
export function unchanged(held: StoredArtifact | undefined) {
  return held === undefined ? { IfNoneMatch: '*' } : { IfMatch: held.etag };
}

/** Somebody has put: this call itself, in an earlier attempt or with a lost answer, or a later one. */
async function concludePut(
  key: string,
  held: StoredArtifact,
  seen: UsageState | undefined,
  ports: ArtifactWritePorts,
): Promise<void> {
  const { call, usage } = ports;
  if (seen === undefined && call.attempt === 1) return;
  const accounting = createArtifactAccounting(ports);
  const state = seen ?? (await readUsage(usage));
  const name = reservationName(call.sequence, key);
  if (held.sequence === call.sequence) {
    const displaced = held.displaced > 0 ? reservationName(held.displaced, key) : undefined;
    await settleArtifact(name, displaced, state, accounting);
    return;
  }
  const reservation = state.reservations.get(name);
  if (reservation) await accounting.reconcile(name, reservation, state);
}

/**
 * There is nothing to delete any more. Whether this call deleted it before an answer was lost, or
 * another one did, nobody can tell: it counts as the other's, which may count too much but never too little.
 */
async function concludeDelete(
  name: string,
  seen: UsageState | undefined,
  ports: ArtifactWritePorts,
): Promise<boolean> {
  const { call, usage } = ports;
  if (seen === undefined && call.attempt === 1) return false;
  const state = seen ?? (await readUsage(usage));
  await release(name, state, createArtifactAccounting(ports));
  return seen === undefined && state.reservations.has(name);
}

async function concludeLost(
  name: string,
  state: UsageState | undefined,
  ports: ArtifactWritePorts,
): Promise<void> {
  const reservation = state?.reservations.get(name);
  if (!state || !reservation) return;
  await createArtifactAccounting(ports).reconcile(name, reservation, state);
}

/** False if the condition did not hold: another write came in between. */
async function sent(request: () => Promise<unknown>): Promise<boolean> {
  try {
    await request();
    return true;
  } catch (error) {
    if (isPreconditionFailed(error) || isMissing(error)) return false;
    throw error;
  }
}

function contended(): Fault {
  const message = 'The artifact is being written by too many calls at once. Retry in 1 s.';
  return new Fault('tool_failed', message, { retryAfterMs: 1_000 });
}

/** Now and then some call finds a dead call's reservation. Its own work is done. */
async function tidyUp(state: UsageState, ports: ArtifactWritePorts): Promise<void> {
  if (!isUntidy(state)) return;
  await tidy(state, createArtifactAccounting(ports)).catch(() => undefined);
}
