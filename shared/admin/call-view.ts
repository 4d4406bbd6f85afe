/**
 * One call: from the audit, the record of leases, its job while it is there, and the header of its
 * stored reply. What each costs is bounded, however old the call and busy the cluster.
 */
import type { Redis } from 'ioredis';
import type { AuditLog } from '../audit/audit-log.ts';
import { InvocationId } from '../ids.ts';
import { decodeReply } from '../queue/invocation.ts';
import { readLeaseWindow } from '../queue/lease-record.ts';
import { queueKey, storedReply } from '../queue/names.ts';
import type { Tenant } from '../tenants/tenant.ts';
import type { AuditRow, CallView } from './api.ts';
import { newestFirst } from './audit-page.ts';
import { explainCall, toTimeline, type CallFacts } from './explain-call.ts';

export interface CallPorts {
  readonly redis: Redis;
  readonly auditLog: AuditLog;
}

/** So many of the newest decisions are looked through for a call. */
const entriesSearched = 5_000;
const eventsRead = 20_000;
const headerBytes = 8_191;
/** Clocks differ, and what ran before the call tells why it waited. */
const slackMs = 15_000;
const hourMs = 3_600_000;

/** Undefined if nothing is known of it any more. */
export async function readCall(
  tenant: Tenant,
  call: string,
  ports: CallPorts,
): Promise<CallView | undefined> {
  const seq = /^#\d{1,12}$/.test(call) ? Number(call.slice(1)) : undefined;
  if (seq !== undefined) return readRefused(tenant, seq, ports);
  const id = InvocationId.safeParse(call).data;
  if (id === undefined) return undefined;
  const [job, stored, audit] = await Promise.all([
    readJob(tenant, id, ports.redis),
    readReply(tenant, id, ports.redis),
    findEntry(tenant, (entry) => entry.invocation === id, undefined, ports),
  ]);
  const now = Date.now();
  const begun = audit ? audit.at - (audit.ms ?? 0) : (job?.acceptedAt ?? now - hourMs);
  const ended = audit && audit.outcome !== 'task' ? audit.at + slackMs : now + slackMs;
  const window = { from: begun - slackMs, to: ended, most: eventsRead };
  const name = `${tenant.id}/${id.slice(2, 12)}`;
  const events = await readLeaseWindow(ports.redis, tenant.shard, window);
  const isKnown = events.some((event) => 'call' in event && event.call === name);
  // A reply does not say whose it is.
  if (!job && !audit && !isKnown) return undefined;
  return toView(call, {
    ...{ tenant: tenant.id, cap: tenant.limits.concurrency, call: name, events, audit, now },
    reply: stored?.reply,
    worker: job?.worker ?? stored?.worker,
    state: job?.state ?? 'ended',
  });
}

async function readRefused(
  tenant: Tenant,
  seq: number,
  ports: CallPorts,
): Promise<CallView | undefined> {
  const audit = await findEntry(tenant, (entry) => entry.seq === seq, seq + 1, ports);
  if (!audit) return undefined;
  if (audit.invocation !== undefined) return readCall(tenant, audit.invocation, ports);
  return toView(`#${seq}`, {
    ...{ tenant: tenant.id, cap: tenant.limits.concurrency, call: '', events: [], audit },
    ...{ reply: undefined, worker: undefined, state: 'ended', now: Date.now() },
  });
}

function toView(call: string, facts: CallFacts): CallView {
  const { tenant, audit, reply, state } = facts;
  return {
    ...{ tenant, call, audit, reply, state },
    verdict: explainCall(facts),
    timeline: toTimeline(facts),
  };
}

async function findEntry(
  { id }: Tenant,
  isMeant: (entry: AuditRow) => boolean,
  before: number | undefined,
  { auditLog }: CallPorts,
): Promise<AuditRow | undefined> {
  let seen = 0;
  for await (const entry of newestFirst(id, before, auditLog)) {
    if (isMeant(entry)) return entry;
    if ((seen += 1) >= entriesSearched) return undefined;
  }
  return undefined;
}

async function readJob({ id: tenant, shard }: Tenant, id: InvocationId, redis: Redis) {
  const key = queueKey(shard, tenant, id);
  const [acceptedAt, worker] = await redis.hmget(key, 'timestamp', 'pb');
  if (typeof acceptedAt !== 'string') return undefined;
  const isRunning = (await redis.exists(`${key}:lock`)) === 1;
  return {
    acceptedAt: Number(acceptedAt),
    worker: isRunning ? (worker ?? undefined) : undefined,
    state: isRunning ? ('running' as const) : ('waiting' as const),
  };
}

/** Its header alone: a result is nobody's business here, and may be large. */
async function readReply({ shard }: Tenant, id: InvocationId, redis: Redis) {
  const text = await redis.getrange(storedReply(shard, id), 0, headerBytes);
  const [by = '', header = ''] = text.split('\n');
  if (header === '') return undefined;
  const token = by.split(' ')[0] ?? '';
  const worker = /^-?(w-.+?)\.\d+\.\d+$/.exec(token)?.[1];
  try {
    const reply = decodeReply(`${header}\n`);
    const fault =
      reply.status === 'faulted' ? { fault: reply.fault.code, message: reply.fault.message } : {};
    return { worker, reply: { status: reply.status, ...fault } };
  } catch {
    return undefined;
  }
}
