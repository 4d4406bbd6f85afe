/**
 * The slice of AWS a tool may use, already confined to one tenant, one call and one lease:
 * every method adds the tenant itself, stops at `signal`, and starts no request past the lease.
 * All reject with a `Fault`.
 */
import type { TenantId, UserId } from '../ids.ts';

export interface TenantAws {
  /** The value, or undefined if there is none or it has expired. */
  readKv(key: string): Promise<string | undefined>;

  /**
   * Writes unless a later call has already written. Absent `ttlMs` means the value never expires.
   * A call writes a key once: a second time counts as a re-run of the first.
   * Faults `storage_full`.
   */
  writeKv(key: string, value: string, ttlMs: number | undefined): Promise<void>;

  /** Deletes unless a later call has already written. Resolves with whether there was a value. */
  deleteKv(key: string): Promise<boolean>;

  /** Some of the keys that start with `prefix`, in UTF-8 order, from where `cursor` left off. Faults `invalid_arguments` for a foreign cursor. */
  listKv(prefix: string, cursor: string | undefined, limit: number): Promise<KvPage>;

  /** The bytes, or undefined if there is none. Faults `payload_too_large` above `maxBytes`. */
  readArtifact(key: string, maxBytes: number): Promise<Uint8Array | undefined>;

  /** Puts the object whole unless a later call has already put. Faults `storage_full`. */
  writeArtifact(key: string, body: Uint8Array, contentType: string): Promise<void>;

  /** Deletes unless a later call has already put. Resolves with whether there was an artifact. */
  deleteArtifact(key: string): Promise<boolean>;

  /** A URL that reads the artifact, without a call. Valid no longer than the tenant's credentials. */
  signGet(key: string, expiresSeconds: number): Promise<SignedUrl>;

  /** A URL that puts exactly `bytes` bytes, once, which are held against the limits from now on. Faults `storage_full`. */
  signPut(key: string, upload: Upload, expiresSeconds: number): Promise<SignedUrl>;

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

  /** What the tenant holds, calls under way included. */
  readUsage(): Promise<Usage>;

  readonly credentials: Credentials;
}

export interface KvPage {
  readonly keys: readonly { readonly key: string; readonly expiresAt?: number | undefined }[];
  /** Absent after the last page. */
  readonly cursor?: string | undefined;
}

export interface Upload {
  readonly bytes: number;
  readonly contentType: string;
}

export interface SignedUrl {
  readonly url: string;
  /** What the request must carry besides. */
  readonly headers: Readonly<Record<string, string>>;
  /** Epoch milliseconds. */
  readonly expiresAt: number;
}

export interface Usage {
  readonly kvBytes: number;
  readonly artifacts: number;
  readonly artifactBytes: number;
  readonly limits: {
    readonly kvBytes: number;
    readonly artifacts: number;
    readonly artifactBytes: number;
  };
}

/** A credential by name. What it holds is for tools alone. */
export interface CredentialName {
  readonly service: string;
  readonly connection: string;
}

/** The credentials of the call's user. */
export interface Credentials {
  /** The secret's text, or undefined if there is none. Never part of a result, an error or a log. */
  read(service: string, connection: string): Promise<string | undefined>;
  put(name: CredentialName, secret: string): Promise<void>;
  list(): Promise<readonly (CredentialName & { readonly updatedAt: number })[]>;
  delete(name: CredentialName): Promise<boolean>;
}

/** What a confined client must know of the call it works for. */
export interface CallContext {
  readonly tenant: TenantId;
  readonly user: UserId;
  /** Order of admission: µs of Redis time, strictly increasing per tenant. */
  readonly sequence: number;
  /** 1 unless an earlier attempt of the same call may have written already. */
  readonly attempt: number;
  /** Epoch milliseconds, by this worker's clock. */
  readonly deadline: number;
  /** Aborts on cancel, deadline or loss of the lease. */
  readonly signal: AbortSignal;
  /** Throws once the lease is over. Asked before every attempt of every request. */
  readonly assertLease: () => void;
}
