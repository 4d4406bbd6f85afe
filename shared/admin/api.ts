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
