/** What the console's server and its page say to each other, as JSON. Times are epoch ms. */

export interface SignedIn {
  readonly name: string;
  readonly role: 'operator' | 'viewer';
  /** Goes back as `x-mesh-csrf` with every change. */
  readonly csrf: string;
}

export interface ProcessView {
  readonly name: string;
  readonly host: string;
  readonly version: string;
  /** Ms since it started, and since it was last heard of. */
  readonly upMs: number;
  readonly silentMs: number;
}

export interface WorkerView extends ProcessView {
  readonly slots: number;
  readonly running: number;
  readonly draining: boolean;
}

export interface IngressView extends ProcessView {
  readonly inFlight: number;
  readonly draining: boolean;
}

export interface RedisView {
  readonly version: string;
  readonly usedBytes: number;
  /** 0: no limit. */
  readonly maxBytes: number;
  readonly policy: string;
  /** `appendfsync everysec`, or `off`. */
  readonly persistence: string;
  readonly persistenceOk: boolean;
  readonly replicas: number;
  readonly clients: number;
  readonly commandsPerSecond: number;
}

/** The cluster at one instant. */
export interface ClusterView {
  readonly at: number;
  readonly workers: readonly WorkerView[];
  readonly ingresses: readonly IngressView[];
  readonly redis: readonly RedisView[];
  /** Accepted and not settled; what of it does not run waits. */
  readonly outstanding: number;
  /** Tenants with work, and those of them that could start some. */
  readonly busyTenants: number;
  readonly readyTenants: number;
  /** Ms for which nothing is started, after a restart of Redis. */
  readonly heldMs: number;
  /** Over the last seconds. */
  readonly callsPerSecond: number;
  readonly refusalsPerSecond: number;
  /** Ms, over the last ten seconds. Absent without calls. */
  readonly p50?: number;
  readonly p99?: number;
}

export type TenantSort = 'id' | 'use' | 'waiting' | 'refused';

export interface TenantRow {
  readonly id: string;
  readonly name: string;
  readonly status: 'active' | 'suspended';
  readonly cap: number;
  readonly running: number;
  readonly waiting: number;
  /** Calls refused within the last hour. */
  readonly refused: number;
}

export interface TenantPage {
  /** All there are, and those that fit the search. */
  readonly total: number;
  readonly found: number;
  /** From 0. */
  readonly page: number;
  readonly pages: number;
  readonly rows: readonly TenantRow[];
}

/** One limit of a tenant, and how much of it is used now. */
export interface LimitUse {
  /** As `mesh tenants set` takes it: `limits.concurrency`. */
  readonly field: string;
  readonly label: string;
  readonly unit: 'count' | 'bytes';
  readonly limit: number;
  /** Absent where nothing is counted. */
  readonly used?: number | undefined;
}

export interface TenantView {
  readonly id: string;
  readonly name: string;
  readonly status: 'active' | 'suspended';
  readonly weight: number;
  readonly shard: number;
  /** Goes back with a change, which is refused if somebody else made one meanwhile. */
  readonly version: number;
  readonly limits: readonly LimitUse[];
  readonly users: readonly {
    readonly id: string;
    readonly role: string;
    readonly permissions: readonly string[];
  }[];
  readonly sessions: readonly {
    readonly id: string;
    readonly user: string;
    readonly client: string;
    readonly createdAt: number;
    readonly lastSeenAt: number;
  }[];
  readonly sessionCount: number;
  readonly deadLetters: readonly DeadLetterRow[];
  readonly deadLetterCount: number;
}

export interface DeadLetterRow {
  readonly id: string;
  readonly failedAt: number;
  readonly tool?: string | undefined;
  readonly user?: string | undefined;
  readonly code: string;
  readonly message: string;
  readonly cause?: string | undefined;
  readonly attempts: number;
}

export interface KeyRow {
  /** The first digits of its hash; the key itself is stored nowhere. */
  readonly id: string;
  readonly user: string;
  readonly createdAt: number;
  readonly expiresAt?: number | undefined;
}

export interface AuditRow {
  readonly seq: number;
  readonly at: number;
  readonly user: string;
  readonly credential: string;
  readonly action: string;
  readonly subject?: string | undefined;
  readonly decision: string;
  readonly rule?: string | undefined;
  readonly outcome?: string | undefined;
  readonly invocation?: string | undefined;
  readonly ms?: number | undefined;
  readonly times?: number | undefined;
}

export interface AuditPage {
  /** Newest first. */
  readonly entries: readonly AuditRow[];
  /** Where the next page starts; absent at the end. */
  readonly before?: number | undefined;
}

/** What happened to one call, as far as it is still known. */
export interface CallView {
  readonly tenant: string;
  /** Its id, or `#` and the number of its entry in the audit if it was refused. */
  readonly call: string;
  /** Why it was slow, or refused: for a person. */
  readonly verdict: readonly string[];
  readonly audit?: AuditRow | undefined;
  /** Oldest first. */
  readonly timeline: readonly CallStep[];
  /** `completed`, `faulted`, …, by the stored reply. Absent once that has expired. */
  readonly reply?:
    | { readonly status: string; readonly fault?: string; readonly message?: string }
    | undefined;
  readonly state: 'waiting' | 'running' | 'ended';
}

export interface CallStep {
  readonly at: number;
  readonly what: string;
}
