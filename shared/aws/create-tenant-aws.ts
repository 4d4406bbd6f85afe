/**
 * Binds the stores to one call. Here, and nowhere else, an SDK error becomes a `Fault` and a
 * request becomes part of a lease.
 */
import { Fault } from '../faults.ts';
import { readArtifact, writeArtifact } from './artifacts.ts';
import { toFault, type Store } from './aws-fault.ts';
import type { ClientCache } from './clients.ts';
import { sendEvent } from './events.ts';
import { readKv, writeKv } from './kv.ts';
import { withinLease } from './lease-guard.ts';
import { listArtifacts } from './list-artifacts.ts';
import type { CallContext, TenantAws } from './tenant-aws.ts';

export interface AwsPorts {
  readonly clients: ClientCache;
  readonly kvTable: string;
  readonly artifactsBucket: string;
  readonly eventBus: string;
}

export function createTenantAws(call: CallContext, ports: AwsPorts): TenantAws {
  const { dynamodb, s3, eventbridge } = ports.clients.for(call.tenant);
  const kv = { call, dynamodb, table: ports.kvTable };
  const artifacts = { call, s3, bucket: ports.artifactsBucket };
  const events = { call, eventbridge, bus: ports.eventBus };

  const run = async <T>(store: Store, work: () => Promise<T>): Promise<T> => {
    try {
      return await withinLease(call, work);
    } catch (thrown) {
      throw call.signal.aborted ? stopped(call.signal) : toFault(thrown, store);
    }
  };

  return {
    readKv: (key) => run('key-value store', () => readKv(key, kv)),
    writeKv: (key, value, ttlMs) => run('key-value store', () => writeKv(key, value, ttlMs, kv)),
    readArtifact: (key, maxBytes) =>
      run('artifact store', () => readArtifact(key, maxBytes, artifacts)),
    writeArtifact: (key, body, contentType) =>
      run('artifact store', () => writeArtifact(key, body, contentType, artifacts)),
    listArtifacts: (prefix) => run('artifact store', () => listArtifacts(prefix, artifacts)),
    sendEvent: (detailType, detail) =>
      run('event bus', () => sendEvent(detailType, detail, events)),
  };
}

/** Whoever aborted said why; the SDK only knows that someone did. */
function stopped({ reason }: AbortSignal): Fault {
  return reason instanceof Fault
    ? reason
    : new Fault('cancelled', 'The call was stopped.', { cause: reason });
}
