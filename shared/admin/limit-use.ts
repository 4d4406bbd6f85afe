/** A tenant's limits, each with what is used of it now. */
import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import type { Redis } from 'ioredis';
import { queueKey, rateKey, sessionsByUse } from '../queue/names.ts';
import type { Limits, Tenant } from '../tenants/tenant.ts';
import { readUsage, type UsageKind } from '../usage/usage-item.ts';
import type { LimitUse } from './api.ts';

export interface LimitUsePorts {
  readonly redis: Redis;
  readonly dynamo: DynamoDBClient;
  readonly kvTable: string;
}

const minuteMs = 60_000;

export async function readLimitUse(
  { id, shard, limits }: Tenant,
  { redis, dynamo, kvTable }: LimitUsePorts,
): Promise<readonly LimitUse[]> {
  const books = (kind: UsageKind) =>
    readUsage({ dynamodb: dynamo, table: kvTable, tenant: id, kind });
  const tools = Object.keys(limits.tools);
  const [running, waiting, waitingBytes, sessions, rates, kv, artifacts] = await Promise.all([
    redis.llen(queueKey(shard, id, 'active')),
    redis.llen(queueKey(shard, id, 'wait')),
    redis.hget(queueKey(shard, id, 'meta'), 'backlogBytes'),
    redis.zcard(sessionsByUse(shard, id)),
    readRates(redis, [
      [rateKey(shard, id), limits.requestsPerMinute],
      ...tools.map(
        (tool) => [rateKey(shard, `${id}/tool/${tool}`), limits.tools[tool] ?? 0] as const,
      ),
    ]),
    books('kv'),
    books('artifacts'),
  ]);

  const row = (
    name: Exclude<keyof Limits, 'aws' | 'tools'>,
    label: string,
    used?: number,
    unit: LimitUse['unit'] = 'count',
  ): LimitUse => ({ field: `limits.${name}`, label, unit, limit: limits[name], used });
  return [
    row('concurrency', 'Running at once', running),
    row('requestsPerMinute', 'Calls a minute', rates[0]),
    row('userRequestsPerMinute', 'Calls a minute of each user'),
    ...tools.map((tool, at) => ({
      field: `limits.tools.${tool}`,
      label: `Calls a minute of ${tool}`,
      unit: 'count' as const,
      limit: limits.tools[tool] ?? 0,
      used: rates[at + 1],
    })),
    row('backlog', 'Waiting calls', waiting),
    row('backlogBytes', 'Arguments of unsettled calls', Number(waitingBytes ?? 0), 'bytes'),
    row('sessions', 'Sessions', sessions),
    row('kvBytes', 'Stored values', kv.bytes, 'bytes'),
    row('artifacts', 'Artifacts', artifacts.objects),
    row('artifactBytes', 'Stored artifacts', artifacts.bytes, 'bytes'),
  ];
}

/** How much of each minute is spent: the time until which a rate is taken, see `admit.lua`. */
async function readRates(
  redis: Redis,
  rates: readonly (readonly [key: string, perMinute: number])[],
): Promise<readonly number[]> {
  const [seconds, micros] = await redis.time();
  const now = Number(seconds) * 1_000 + Number(micros) / 1_000;
  const arrivals = await redis.mget(rates.map(([key]) => key));
  return rates.map(([, perMinute], at) => {
    const aheadMs = Math.max(0, Number(arrivals[at] ?? 0) - now);
    return Math.min(perMinute, Math.ceil((aheadMs / minuteMs) * perMinute));
  });
}
