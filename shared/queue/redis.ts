/**
 * Connections to Redis, one for each purpose, whatever the number of tenants.
 *
 * Nothing is queued or resent behind our back: a command either goes out on a ready connection or
 * fails at once, and the transitions are idempotent, so that the caller can send them again.
 */
import { Cluster, Redis } from 'ioredis';
import type { Log } from '../telemetry/log.ts';

/**
 * What a connection is for, and how long an answer may take on it, in ms. After `socketTimeout`
 * without any answer the connection is given up for a new one: a network that swallows packets
 * does not close it, and the kernel takes a quarter of an hour to notice.
 */
const purposes = {
  /** Below the second within which a client must hear a refusal. */
  admission: { commandTimeout: 800, socketTimeout: 2_000 },
  commands: { commandTimeout: 5_000, socketTimeout: 6_000 },
  /** Subscribing again is harmless, so that it may wait for the connection. */
  subscriptions: { enableOfflineQueue: true, maxRetriesPerRequest: null },
  /** Blocks in BLPOP, for at most half of this. */
  waiting: { socketTimeout: 10_000 },
} as const;
export type RedisPurpose = keyof typeof purposes;

/** Reconnects for ever, at most this long apart: a short outage must not become a long one. */
const longestReconnectDelayMs = 500;

/**
 * One Redis, or with `?cluster=1` in its URL a Redis Cluster, of which the URL names one node: the
 * others are found through it. Each script runs on the node of its shard.
 */
export function connectRedis(url: string, purpose: RedisPurpose, log: Log): Redis {
  const target = new URL(url);
  const isCluster = target.searchParams.get('cluster') === '1';
  target.searchParams.delete('cluster');
  const redis = isCluster ? openCluster(target, purpose) : new Redis(url, optionsFor(purpose));
  let down = false;
  redis.on('error', (error: Error) => {
    if (!down) log.warn({ purpose, error: error.message }, 'Redis connection lost, reconnecting');
    down = true;
  });
  redis.on('ready', () => {
    if (down) log.info({ purpose }, 'Redis connection is back');
    down = false;
  });
  return redis;
}

function optionsFor(purpose: RedisPurpose) {
  return {
    connectionName: `agent-mesh-${purpose}`,
    connectTimeout: 2_000,
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    retryStrategy: reconnectDelayMs,
    ...purposes[purpose],
  };
}

function openCluster(node: URL, purpose: RedisPurpose): Redis {
  const { enableOfflineQueue, retryStrategy, ...options } = optionsFor(purpose);
  const cluster = new Cluster([node.href], {
    enableOfflineQueue,
    clusterRetryStrategy: retryStrategy,
    // What is true of one connection is true of each: nothing is sent twice behind our back.
    redisOptions: {
      ...options,
      maxRetriesPerRequest: options.maxRetriesPerRequest ?? 0,
      username: decodeURIComponent(node.username),
      password: decodeURIComponent(node.password),
      ...(node.protocol === 'rediss:' ? { tls: {} } : {}),
    },
    slotsRefreshTimeout: 2_000,
  });
  // eslint-disable-next-line typescript/no-unsafe-type-assertion -- the same commands, events and states
  return cluster as unknown as Redis;
}

const reconnectDelayMs = (attempt: number): number =>
  Math.min(20 * 2 ** attempt, longestReconnectDelayMs);

/** Every server that holds data. */
export function mastersOf(redis: Redis): readonly Redis[] {
  const connection: unknown = redis;
  return connection instanceof Cluster ? connection.nodes('master') : [redis];
}

/** Its connection stays ready as a whole while nodes come and go, which it tells as `+node` and `-node`. */
const isCluster = (connection: unknown): boolean => connection instanceof Cluster;

/** Thrown by a check: this Redis must not be used until somebody has set it up otherwise. */
export class UnfitRedis extends Error {
  override readonly name = 'UnfitRedis';
}

/** Whether a connection may be used, after a check that runs on every new connection before anything else. */
export interface Gate {
  readonly isOpen: boolean;
  /** Why the gate is shut, while it is. */
  readonly problem: string;
  /**
   * Resolves once the gate has been open. Rejects with `UnfitRedis` if the check said so before: a
   * process that starts then ends, while one that has worked waits for better.
   */
  readonly started: Promise<void>;
  /** Resolves once the gate is open, at once if it is. Rejects with `signal.reason` if aborted first. */
  opened(signal?: AbortSignal): Promise<void>;
}

/** Between checks of a cluster that lacks a node. */
const recheckMs = 200;
/** And of a Redis that must be set up otherwise. */
const unfitRecheckMs = 1_000;

/**
 * `check` runs whenever the connection becomes ready; until it has resolved, the gate is shut. It
 * is for all shards: with a node gone, a Redis Cluster as such counts as down.
 */
export function createGate(redis: Redis, check: () => Promise<unknown>, log: Log): Gate {
  let isOpen = false;
  let losses = 0;
  let checking = false;
  let failed = false;
  let unfit: UnfitRedis | undefined;
  const started = Promise.withResolvers<void>();
  started.promise.catch(() => undefined);
  let waiting: (() => void)[] = [];

  const open = (): void => {
    isOpen = true;
    failed = false;
    unfit = undefined;
    started.resolve();
    const resolve = waiting;
    waiting = [];
    for (const each of resolve) each();
  };
  const shut = (): void => {
    isOpen = false;
    losses += 1;
  };
  const verify = async (): Promise<void> => {
    if (checking || redis.status !== 'ready') return;
    const lossesBefore = losses;
    checking = true;
    try {
      await check();
      if (losses === lossesBefore) return open();
    } catch (error) {
      unfit = error instanceof UnfitRedis ? error : undefined;
      if (unfit) started.reject(unfit);
      if (!failed && unfit) log.error(unfit.message);
      else if (!failed) log.error({ err: error }, 'Redis check failed');
      failed = true;
    } finally {
      checking = false;
    }
    tryAgain();
  };
  const tryAgain = (): void => {
    if (unfit) setTimeout(() => void verify(), unfitRecheckMs).unref();
    else if (isCluster(redis)) setTimeout(() => void verify(), recheckMs).unref();
    // A new connection runs the check again.
    else redis.disconnect(true);
  };
  redis.on('ready', () => void verify());
  redis.on('close', shut);
  if (isCluster(redis)) {
    // One node may be restarted, and forget, while the others keep the connection as a whole ready.
    redis.on('-node', () => {
      if (isOpen) tryAgain();
      shut();
    });
  }
  void verify();

  return {
    get isOpen() {
      return isOpen;
    },
    get problem() {
      return unfit?.message ?? 'no connection to Redis';
    },
    started: started.promise,
    opened(signal) {
      if (isOpen) return Promise.resolve();
      return new Promise((resolve, reject) => {
        const abort = (): void => reject(signal?.reason);
        signal?.throwIfAborted();
        signal?.addEventListener('abort', abort, { once: true });
        waiting.push(() => {
          signal?.removeEventListener('abort', abort);
          resolve();
        });
      });
    },
  };
}
