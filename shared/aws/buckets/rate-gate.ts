/**
 * Lets an AWS request out when its tenant's rate has a token for it. A busy tenant's tokens come from
 * Redis a few at a time; what is not used within a tenth of a second is let go.
 */
import { performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { Fault } from '../../faults.ts';
import type { TenantId } from '../../ids.ts';
import type { AwsRates } from '../../tenants/tenant.ts';
import { holdMs, type AwsRate, type TokensTaken, type TokensWanted } from './take-tokens.ts';

export interface RateGate {
  /**
   * Resolves when the request may start. Rejects with the signal's reason once it aborts.
   * @throws {Fault} `quota_exceeded` if it would have to wait for long, `tool_failed` if Redis does not answer.
   */
  pass(tenant: TenantId, rate: AwsRate, signal: AbortSignal, deadline: number): Promise<void>;
}

export interface RateGatePorts {
  take(wanted: TokensWanted): Promise<TokensTaken>;
  /** The tenant's rates and shard as they are now. */
  ratesOf(tenant: TenantId): Promise<{ readonly shard: number; readonly aws: AwsRates }>;
}

interface Bucket {
  tokens: number;
  /** On the monotonic clock. */
  validUntil: number;
  /** How many were used of the last ones, as a guess at how many will be. */
  used: number;
  waiting: number;
  refill: Promise<number> | undefined;
}

/** A slot waits for so long at most. */
const longestWaitMs = 200;
const maxBuckets = 10_000;
const redisRetryMs = 1_000;
/** Of a second's worth. */
const batchShare = 1 / 50;

export function createRateGate(ports: RateGatePorts): RateGate {
  const buckets = new Map<string, Bucket>();

  const find = (id: string): Bucket => {
    const fresh = { tokens: 0, validUntil: 0, used: 0, waiting: 0, refill: undefined };
    const bucket = buckets.get(id) ?? fresh;
    buckets.delete(id);
    buckets.set(id, bucket);
    const [oldest] = buckets.keys();
    // Whoever waits at a bucket that was dropped still holds it.
    if (buckets.size > maxBuckets && oldest !== undefined) buckets.delete(oldest);
    return bucket;
  };

  /** Resolves with the ms to wait before the next try. */
  const refill = async (bucket: Bucket, tenant: TenantId, rate: AwsRate): Promise<number> => {
    const { shard, aws } = await ports.ratesOf(tenant);
    const perSecond = aws[rate];
    const most = Math.max(1, Math.floor(perSecond * batchShare));
    const tokens = Math.min(most, Math.max(1, bucket.used, bucket.waiting));
    // From before it was asked: no token is older than this says.
    const askedAt = performance.now();
    const taken = await ports.take({ shard, tenant, rate, perSecond, tokens }).catch(unreachable);
    bucket.tokens = taken.granted;
    bucket.validUntil = askedAt + holdMs;
    bucket.used = 0;
    return taken.waitMs;
  };

  const nextTry = (bucket: Bucket, tenant: TenantId, rate: AwsRate): Promise<number> => {
    bucket.refill ??= refill(bucket, tenant, rate).finally(() => {
      bucket.refill = undefined;
    });
    return bucket.refill;
  };

  return {
    async pass(tenant, rate, signal, deadline) {
      const bucket = find(`${tenant}/${rate}`);
      const startedAt = performance.now();
      bucket.waiting += 1;
      try {
        while (!use(bucket)) {
          const waitMs = await nextTry(bucket, tenant, rate);
          signal.throwIfAborted();
          if (waitMs === 0) continue;
          const endsAt = performance.now() + waitMs;
          if (endsAt - startedAt > longestWaitMs || Date.now() + waitMs > deadline) {
            throw exceeded(waitMs);
          }
          await sleep(waitMs, undefined, { signal });
        }
      } finally {
        bucket.waiting -= 1;
      }
    },
  };
}

function use(bucket: Bucket): boolean {
  if (bucket.tokens < 1 || performance.now() >= bucket.validUntil) return false;
  bucket.tokens -= 1;
  bucket.used += 1;
  return true;
}

function exceeded(retryAfterMs: number): Fault {
  const message = `The tenant's requests to AWS come faster than its rate allows. Retry in ${Math.ceil(retryAfterMs / 1_000)} s.`;
  return new Fault('quota_exceeded', message, { retryAfterMs });
}

function unreachable(cause: unknown): never {
  const message = "The tenant's rate could not be checked. Retry in 1 s.";
  throw new Fault('tool_failed', message, { retryAfterMs: redisRetryMs, cause });
}
