/** One private Redis per test file, and connections to it that end with the file. */
import { once } from 'node:events';
import { Redis } from 'ioredis';
import { afterAll } from 'vitest';
import { connectRedis, type RedisPurpose } from '../../shared/queue/redis.ts';
import { createLog } from '../../shared/telemetry/log.ts';
import { startTestRedis } from '../support/redis.ts';

export const silent = createLog('test', 'silent');

export interface QueueRedis {
  readonly url: string;
  /** For commands of the test itself. */
  readonly raw: Redis;
  /** As a process of the cluster connects; resolves once it is ready. */
  connect(purpose: RedisPurpose): Promise<Redis>;
  /** Empties it, scripts excepted. */
  clear(): Promise<void>;
}

export async function openRedis(): Promise<QueueRedis> {
  const server = await startTestRedis();
  const raw = new Redis(server.url);
  const connections = [raw];
  afterAll(async () => {
    for (const each of connections) each.disconnect();
    await server[Symbol.asyncDispose]();
  });
  return {
    url: server.url,
    raw,
    async connect(purpose) {
      const redis = connectRedis(server.url, purpose, silent);
      connections.push(redis);
      await once(redis, 'ready');
      return redis;
    },
    async clear() {
      await raw.flushdb();
    },
  };
}
