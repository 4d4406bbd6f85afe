/**
 * Every key and channel name in Redis, built here and nowhere else. The scripts get theirs
 * from `indexSuffixes` and `queueSuffixes` through `scripts/compose.ts`.
 *
 * All keys of one shard share a hash tag, so that a shard lives on one node of a cluster.
 */
import type { InvocationId, TenantId } from '../ids.ts';

/** `{mesh:<shard>}:` starts every key of a shard. */
export const indexPrefix = (shard: number): string => `{mesh:${shard}}:`;

/** BullMQ's own prefix option for the tenants' queues of a shard; a queue's name is its tenant's id. */
export const queuePrefix = (shard: number): string => `{mesh:${shard}}:q`;

/** What follows the index prefix, one per shard. */
export const indexSuffixes = {
  /** Sorted set: tenants with startable work, by virtual time. */
  ready: 'ready',
  /** Sorted set: tenants with outstanding work, by the time of their next check. */
  busy: 'busy',
  /** Sorted set: `<tenant>/<id>` of unfinished calls, by deadline in epoch ms. */
  deadlines: 'deadlines',
  /** Hash: `''` = virtual time, `<tenant>` = virtual finish of its last start. */
  tag: 'tag',
  /** List of at most one entry, which wakes an idle worker. */
  bell: 'bell',
  /** Sorted set, expiring: `<tenant>/<id>` of dead letters that have no copy in SQS, by when to send it, in epoch ms. */
  unsent: 'dead-unsent',
  /** String, expiring: nothing is claimed while it exists. */
  hold: 'hold',
  /** String: `run_id` of the Redis process that this shard last ran on. */
  run: 'run',
  /** Stream, bounded: what happened to leases, see `lease-record.ts`. */
  leases: 'leases',
  /** Hash: live workers and ingresses, each with `<valid until, epoch ms> <highest message version it reads> <slots>`. */
  readers: 'readers',
} as const;

/** What follows the index prefix and takes a subject. */
export const subjectSuffixes = {
  /** String, expiring: `<by> <fingerprint>\n<reply>`; for `by` see `scripts/conclude.lua`. */
  reply: 'reply:',
  /** Set: reply channels of those who wait for one call besides the first. */
  waiters: 'waiters:',
  /** String, expiring: theoretical arrival time of a rate, in ms. */
  rate: 'rate:',
  /** Hash: a tenant's dead letters by call, see `scripts/dead-letters.lua`. */
  dead: 'dead:',
  /** Sorted set: the same calls by when they failed, in epoch ms. */
  deadAt: 'dead-at:',
} as const;

export const leaseStream = (shard: number): string => indexPrefix(shard) + indexSuffixes.leases;

export const bell = (shard: number): string => indexPrefix(shard) + indexSuffixes.bell;

/** Sorted set: tenants with outstanding work. */
export const busyTenants = (shard: number): string => indexPrefix(shard) + indexSuffixes.busy;

/** String, expiring: how much work was last counted in a shard, as JSON. */
export const census = (shard: number): string => `${indexPrefix(shard)}census`;

/** String, expiring: while it exists nobody counts the shard anew. */
export const censusTurn = (shard: number): string => `${indexPrefix(shard)}census-turn`;

/** List of at most one entry, which wakes this idle worker alone. */
export const ownBell = (shard: number, worker: string): string => `${bell(shard)}:${worker}`;

export const deadLetters = (shard: number, tenant: TenantId): string =>
  indexPrefix(shard) + subjectSuffixes.dead + tenant;

export const deadLetterTimes = (shard: number, tenant: TenantId): string =>
  indexPrefix(shard) + subjectSuffixes.deadAt + tenant;

/** When the next call at a rate would be on time, see `admit.lua`. */
export const rateKey = (shard: number, subject: string): string =>
  indexPrefix(shard) + subjectSuffixes.rate + subject;

export const unsentLetters = (shard: number): string => indexPrefix(shard) + indexSuffixes.unsent;

export const storedReply = (shard: number, id: InvocationId): string =>
  indexPrefix(shard) + subjectSuffixes.reply + id;

/** Set: channels that wait for the reply of one call besides the first. */
export const replyWaiters = (shard: number, id: InvocationId): string =>
  indexPrefix(shard) + subjectSuffixes.waiters + id;

/** A tenant's BullMQ key: `wait`, `active`, `meta`, … or a job id. */
export const queueKey = (shard: number, tenant: TenantId, suffix: string): string =>
  `${queuePrefix(shard)}:${tenant}:${suffix}`;

/** Where an ingress hears replies and progress. */
export const replyChannel = (ingress: string): string => `mesh:reply:${ingress}`;

/** Where a worker hears that a call it runs was cancelled: `<tenant>/<id>`. */
export const workerChannel = (worker: string): string => `mesh:worker:${worker}`;

/** Where every ingress hears which version of messages every live process reads. */
export const versionsChannel = 'mesh:versions';

/** Where every process hears that a tenant's record, users or keys changed: the tenant's id. */
export const tenantsChannel = 'mesh:tenants';

/** Where every ingress hears that a 2025-era client cancels a request: its session's nonce and request id. */
export const cancelChannel = 'mesh:cancel';

/** Where every ingress hears what has changed of a tenant's tools, prompts and resources. */
export const changesChannel = 'mesh:changes';

/** Where an ingress hears what a 2025-era client answers to a request of its own. */
export const answerChannel = (ingress: string): string => `mesh:answer:${ingress}`;

/** Hash, expiring: what is known of a task besides its invocation. */
export const taskRecord = (shard: number, task: InvocationId): string =>
  `${indexPrefix(shard)}task:${task}`;

/** Sorted set, expiring: a tenant's sessions of 2025-era clients, by last use in epoch ms. */
export const sessionsByUse = (shard: number, tenant: TenantId): string =>
  `${indexPrefix(shard)}sessions:${tenant}`;

/** Hash, expiring: who opened each of them, and when, as JSON. */
export const sessionFacts = (shard: number, tenant: TenantId): string =>
  `${indexPrefix(shard)}session-facts:${tenant}`;

/** Hash, expiring: what one session wants to be told, see `session-states.ts`. */
export const sessionState = (shard: number, tenant: TenantId, session: string): string =>
  `${indexPrefix(shard)}session:${tenant}:${session}`;

/** Hash, expiring: how many resources each session of a tenant watches. */
export const sessionWatches = (shard: number, tenant: TenantId): string =>
  `${indexPrefix(shard)}session-watches:${tenant}`;

/** Where every ingress hears that a session has changed or ended: its id. */
export const sessionsChannel = 'mesh:sessions';

/** Hash: processes that live, each with `<valid until, epoch ms> <facts as JSON>`. */
export const processes = `${indexPrefix(0)}processes`;

/** Sorted set, expiring: tenants by the calls refused them within ten minutes, which have a number. */
export const refusedCalls = (period: number): string => `${indexPrefix(0)}refused:${period}`;

/** String, expiring: a visit of the console, by the hash of its id. */
export const adminVisit = (hash: string): string => `${indexPrefix(0)}admin-visit:${hash}`;

/** Set, expiring: the hashes of an admin's visits. */
export const adminVisits = (name: string): string => `${indexPrefix(0)}admin-visits:${name}`;

/** String, expiring: how many wrong tokens came from an address. */
export const adminFailures = (address: string): string =>
  `${indexPrefix(0)}admin-failures:${address}`;
