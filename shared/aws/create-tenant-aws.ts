/**
 * Binds the stores to one call. Here, and nowhere else, an SDK error becomes a `Fault` and a
 * request becomes part of a lease.
 */
import { Fault } from '../faults.ts';
import type { TenantId } from '../ids.ts';
import type { Limits } from '../tenants/tenant.ts';
import { readTotals } from '../usage/read-totals.ts';
import { createArtifactAccounting } from './artifact-accounting.ts';
import { signGet, signPut } from './artifact-urls.ts';
import { deleteArtifact, writeArtifact } from './artifact-writes.ts';
import { readArtifact } from './artifacts.ts';
import { toFault, type Store } from './aws-fault.ts';
import type { ClientCache } from './clients.ts';
import { sendEvent } from './events.ts';
import { createKvAccounting } from './kv-accounting.ts';
import { deleteKv, writeKv } from './kv-write.ts';
import { listKv, readKv } from './kv.ts';
import { withinLease } from './lease-guard.ts';
import { listArtifacts } from './list-artifacts.ts';
import {
  deleteCredential,
  listCredentials,
  putCredential,
  readCredential,
} from './stored-credentials.ts';
import type { CallContext, TenantAws } from './tenant-aws.ts';

export interface AwsPorts {
  readonly clients: ClientCache;
  readonly kvTable: string;
  readonly artifactsBucket: string;
  readonly eventBus: string;
  /** The tenant's limits as they are now. */
  readonly limitsOf: (tenant: TenantId) => Promise<Limits>;
}

export function createTenantAws(call: CallContext, ports: AwsPorts): TenantAws {
  const { dynamodb, s3, signing, eventbridge, secrets } = ports.clients.for(call.tenant);
  const { kvTable: table, artifactsBucket: bucket, limitsOf } = ports;
  const { tenant, signal } = call;
  const usage = { dynamodb, table, tenant, signal };
  const kv = {
    call,
    dynamodb,
    table,
    usage: { ...usage, kind: 'kv' as const },
    limits: async () => ({ bytes: (await limitsOf(tenant)).kvBytes, objects: Infinity }),
  };
  const artifacts = {
    call,
    s3,
    signing,
    bucket,
    usage: { ...usage, kind: 'artifacts' as const },
    limits: async () => {
      const { artifactBytes: bytes, artifacts: objects } = await limitsOf(tenant);
      return { bytes, objects };
    },
  };
  const events = { call, eventbridge, bus: ports.eventBus };
  const credentials = { call, dynamodb, table, secrets };

  const run = async <T>(store: Store, work: () => Promise<T>): Promise<T> => {
    try {
      return await withinLease(call, work);
    } catch (thrown) {
      throw call.signal.aborted ? stopped(call.signal) : toFault(thrown, store);
    }
  };
  const inKv = <T>(work: () => Promise<T>) => run('key-value store', work);
  const inArtifacts = <T>(work: () => Promise<T>) => run('artifact store', work);
  const inSecrets = <T>(work: () => Promise<T>) => run('credential store', work);

  return {
    readKv: (key) => inKv(() => readKv(key, kv)),
    writeKv: (key, value, ttlMs) => inKv(() => writeKv(key, value, ttlMs, kv)),
    deleteKv: (key) => inKv(() => deleteKv(key, kv)),
    listKv: (prefix, cursor, limit) => inKv(() => listKv(prefix, cursor, limit, kv)),
    readArtifact: (key, maxBytes) => inArtifacts(() => readArtifact(key, maxBytes, artifacts)),
    writeArtifact: (key, body, contentType) =>
      inArtifacts(() => writeArtifact(key, body, contentType, artifacts)),
    deleteArtifact: (key) => inArtifacts(() => deleteArtifact(key, artifacts)),
    listArtifacts: (prefix) => inArtifacts(() => listArtifacts(prefix, artifacts)),
    signGet: (key, seconds) => inArtifacts(() => signGet(key, seconds, artifacts)),
    signPut: (key, upload, seconds) => inArtifacts(() => signPut(key, upload, seconds, artifacts)),
    sendEvent: (detailType, detail) =>
      run('event bus', () => sendEvent(detailType, detail, events)),
    readUsage: () =>
      inKv(async () => {
        const [held, objects, limits] = await Promise.all([
          readTotals(createKvAccounting(kv)),
          readTotals(createArtifactAccounting(artifacts)),
          limitsOf(tenant),
        ]);
        const { bytes: artifactBytes, objects: count } = objects;
        return { kvBytes: held.bytes, artifacts: count, artifactBytes, limits };
      }),
    credentials: {
      read: (service, connection) =>
        inSecrets(() => readCredential({ service, connection }, credentials)),
      put: (name, secret) => inSecrets(() => putCredential(name, secret, credentials)),
      list: () => inSecrets(() => listCredentials(credentials)),
      delete: (name) => inSecrets(() => deleteCredential(name, credentials)),
    },
  };
}
/** Whoever aborted said why; the SDK only knows that someone did. */
function stopped({ reason }: AbortSignal): Fault {
  return reason instanceof Fault
    ? reason
    : new Fault('cancelled', 'The call was stopped.', { cause: reason });
}
