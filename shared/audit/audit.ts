/**
 * Records decisions without making anybody wait for it.
 *
 * A decision goes into a Redis stream in the turn of the event loop in which it is recorded, with
 * others of that turn, and from there, by whichever process has the turn, in pages into the chain
 * in DynamoDB. Appending from each process directly would cost less Redis and lose on a kill -9
 * whatever a process had gathered; a request to DynamoDB for each call would lose nothing and cost
 * each call milliseconds and money. So a killed process loses what it decided since its last answer
 * from Redis, which is about as long as the answer to the client takes; DynamoDB may be away for as
 * long as the outbox has room; and what there is no room for is counted and chained as a gap.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import type { Tenant } from '../tenants/tenant.ts';
import type { AuditLog } from './audit-log.ts';
import { createDrainOutbox } from './drain-outbox.ts';
import { createDrains } from './drains.ts';
import type { AuditEvent } from './entry.ts';
import { createOutbox, type OutboxLine } from './outbox.ts';
import { createWaitingLines } from './waiting-lines.ts';

export type AuditRecord = Omit<AuditEvent, 'at'> & {
  readonly tenant: Pick<Tenant, 'id' | 'shard'>;
};

export interface Audit {
  /** Never throws and never waits. */
  record(record: AuditRecord): void;
  /** Hands what was recorded to Redis, for at most five seconds, and moves on what it can. */
  close(): Promise<void>;
}

export interface AuditPorts {
  /** Any connection for commands. */
  readonly redis: Redis;
  readonly log: AuditLog;
  readonly onProblem: (what: string, cause: unknown) => void;
}

export interface AuditOptions {
  /** Unique per process. */
  readonly name: string;
  readonly shards: number;
  readonly retentionDays: number;
  /** Milliseconds for which decisions gather in Redis before they are chained: one request to DynamoDB for all of a tenant. Default 2,000. */
  readonly gatherMs?: number;
  /** The most decisions that wait in this process while Redis is away. Default 10,000. */
  readonly maxWaiting?: number;
  /** The most decisions that wait in Redis, for each shard, while DynamoDB is away. Default 50,000. */
  readonly maxItems?: number;
}

const retryMs = 250;
const closeTimeoutMs = 5_000;
/** Looks so often for what processes that died have left behind. */
const lookAroundMs = 10_000;
const subjectLength = 200;
const daySeconds = 86_400;

interface Batch {
  readonly shard: number;
  readonly number: number;
  readonly lines: readonly OutboxLine[];
}

export function createAudit(options: AuditOptions, ports: AuditPorts): Audit {
  const { gatherMs = 2_000, maxWaiting = 10_000 } = options;
  const outbox = createOutbox(ports.redis, options);
  const waiting = createWaitingLines(maxWaiting);
  const retentionSeconds = options.retentionDays * daySeconds;
  const drainOutbox = createDrainOutbox({ outbox, log: ports.log, retentionSeconds });
  const drains = createDrains({ outbox, drainOutbox, onProblem: ports.onProblem });
  let batches = 0;
  let sending: Batch | undefined;
  let isSending = false;
  let isFailing = false;
  let next: NodeJS.Immediate | undefined;
  let retry: NodeJS.Timeout | undefined;

  function nextBatch(): Batch | undefined {
    const taken = waiting.take();
    return taken && { ...taken, number: (batches += 1) };
  }

  /** One batch at a time: what is recorded meanwhile is the next one. */
  async function send(): Promise<void> {
    if (isSending) return;
    isSending = true;
    clearTimeout(retry);
    retry = undefined;
    try {
      while ((sending ??= nextBatch())) {
        await outbox.append(sending.shard, sending.number, sending.lines);
        drains.schedule(sending.shard, gatherMs);
        sending = undefined;
      }
      isFailing = false;
    } catch (error) {
      if (!isFailing) ports.onProblem('audit waits for Redis', error);
      isFailing = true;
      retry = setTimeout(() => void send(), retryMs);
    } finally {
      isSending = false;
    }
  }

  const lookAround = setInterval(() => {
    for (let shard = 0; shard < options.shards; shard += 1) drains.schedule(shard, 0);
  }, lookAroundMs);
  lookAround.unref();

  return {
    record({ tenant, ...event }) {
      const subject = event.subject?.slice(0, subjectLength);
      const content = { at: Date.now(), ...event, ...(subject === undefined ? {} : { subject }) };
      waiting.add(tenant.shard, { tenant: tenant.id, content });
      if (next || isSending || retry) return;
      next = setImmediate(() => {
        next = undefined;
        void send();
      });
    },

    async close() {
      clearInterval(lookAround);
      const closeBy = performance.now() + closeTimeoutMs;
      while ((sending !== undefined || !waiting.isEmpty) && performance.now() < closeBy) {
        await send();
        if (sending) await sleep(retryMs);
      }
      clearTimeout(retry);
      await drains.close();
    },
  };
}
