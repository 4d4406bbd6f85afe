/**
 * The slice of AWS a tool may use, already confined to one tenant, one call and one lease:
 * every method adds the tenant itself, stops at `signal`, and starts no request past the lease.
 * All reject with a `Fault`.
 */
import type { TenantId, UserId } from '../ids.ts';

export interface TenantAws {
  /** The value, or undefined if there is none or it has expired. */
  readKv(key: string): Promise<string | undefined>;

  /** Writes unless a later call has already written. Absent `ttlMs` means the value never expires. */
  writeKv(key: string, value: string, ttlMs: number | undefined): Promise<void>;

  /** The bytes, or undefined if there is none. Faults `payload_too_large` above `maxBytes`. */
  readArtifact(key: string, maxBytes: number): Promise<Uint8Array | undefined>;

  /** Puts the object whole; a re-run does so unless a later call has already put. */
  writeArtifact(key: string, body: Uint8Array, contentType: string): Promise<void>;

  /**
   * Every key of the tenant that starts with `prefix`, without the tenant's own prefix, in UTF-8 order.
   * Faults `payload_too_large` if there are more than an answer can hold.
   */
  listArtifacts(prefix: string): Promise<readonly string[]>;

  /**
   * Publishes one event; the tenant's fields win over those in `detail`. Never tried twice:
   * faults `outcome_unknown` if the answer was lost.
   */
  sendEvent(detailType: string, detail: Readonly<Record<string, unknown>>): Promise<void>;
}

/** What a confined client must know of the call it works for. */
export interface CallContext {
  readonly tenant: TenantId;
  readonly user: UserId;
  /** Order of admission: µs of Redis time, strictly increasing per tenant. */
  readonly sequence: number;
  /** 1 unless an earlier attempt of the same call may have written already. */
  readonly attempt: number;
  /** Aborts on cancel, deadline or loss of the lease. */
  readonly signal: AbortSignal;
  /** Throws once the lease is over. Asked before every attempt of every request. */
  readonly assertLease: () => void;
}
