/** Asks Redis for tokens of a tenant's rate. */
import type { Redis } from 'ioredis';
import { z } from 'zod';
import type { TenantId } from '../../ids.ts';
import { readLuaScript } from '../../queue/lua-script.ts';
import { indexPrefix, subjectSuffixes } from '../../queue/names.ts';
import type { AwsRates } from '../../tenants/tenant.ts';

export type AwsRate = keyof AwsRates;

export interface TokensWanted {
  readonly shard: number;
  readonly tenant: TenantId;
  readonly rate: AwsRate;
  readonly perSecond: number;
  readonly tokens: number;
}

export interface TokensTaken {
  readonly granted: number;
  /** If none was granted: until one will be. */
  readonly waitMs: number;
}

/**
 * Together with what a worker may hold back this is one second's worth, so that in no window of w
 * seconds more than rate × (1 + w) requests start.
 */
const spareMs = 900;

/** For so long after it was asked for, a worker may use a token. */
export const holdMs = 100;

const take = readLuaScript(new URL('take.lua', import.meta.url));
const Answer = z.tuple([z.number(), z.number()]);

/** Rejects with ioredis' errors. */
export async function takeTokens(redis: Redis, wanted: TokensWanted): Promise<TokensTaken> {
  const { shard, tenant, rate, perSecond, tokens } = wanted;
  // No tenant's id holds a colon, so this meets none of admission's own rates.
  const key = `${indexPrefix(shard)}${subjectSuffixes.rate}aws:${tenant}:${rate}`;
  const interval = 1_000_000 / perSecond;
  const args = [interval, Math.max(spareMs * 1_000, interval), tokens];
  const [granted, waitMs] = Answer.parse(await take.run(redis, [key], args));
  return { granted, waitMs };
}
