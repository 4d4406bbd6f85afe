import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { describe, expect, test } from 'vitest';
import { watchPressure } from '../../shared/queue/pressure.ts';
import { assertFit, findUnfitness, parseInfo } from '../../shared/queue/redis-fitness.ts';
import { connectRedis, createGate } from '../../shared/queue/redis.ts';
import { startOwnRedis } from './own-redis.ts';
import { silent } from './redis.ts';

const whatToSet = 'CONFIG SET maxmemory-policy noeviction';
const ignore = (): void => undefined;

describe('a Redis', () => {
  test('older than 7 is refused by its version', () => {
    const facts = parseInfo('redis_version:6.2.14\r\nmaxmemory_policy:noeviction\r\n');
    expect(findUnfitness(facts)).toMatch(/^Redis 6\.2\.14 is too old/);
    expect(findUnfitness({ ...facts, version: '7.0.15' })).toBeUndefined();
    expect(findUnfitness({ ...facts, version: '8.0.0' })).toBeUndefined();
  });

  test('that does not tell its policy is believed', () => {
    expect(findUnfitness(parseInfo('redis_version:7.1.0\r\n'))).toBeUndefined();
  });

  test('that forbids CONFIG is judged all the same', async () => {
    await using server = await startOwnRedis('--maxmemory-policy', 'volatile-lru');
    using admin = closing(new Redis(server.url));
    await admin.redis.acl('SETUSER', 'mesh', 'on', '>word', '~*', '&*', '+@all', '-config');
    using own = closing(connectRedis(withUser(server.url), 'commands', silent));
    await once(own.redis, 'ready');
    await expect(own.redis.config('GET', 'maxmemory-policy')).rejects.toThrow('NOPERM');
    await expect(assertFit(own.redis, ignore)).rejects.toThrow(whatToSet);
  });

  test('without an append-only file may be used, with a word of advice', async () => {
    await using server = await startOwnRedis('--appendonly', 'no');
    using own = closing(connectRedis(server.url, 'commands', silent));
    await once(own.redis, 'ready');
    const advice: string[] = [];
    await assertFit(own.redis, (text) => advice.push(text));
    await own.redis.config('SET', 'appendonly', 'yes');
    await assertFit(own.redis, (text) => advice.push(text));
    expect(advice).toEqual([expect.stringContaining('set appendonly yes')]);
  });
});

test.each(['ingress', 'worker'])(
  'the %s ends at once on a Redis that evicts, and says what to set',
  async (kind) => {
    await using server = await startOwnRedis('--maxmemory-policy', 'allkeys-lru');
    const child = spawn(
      process.execPath,
      [join(import.meta.dirname, `../../services/${kind}/main.ts`)],
      {
        env: {
          REDIS_URL: server.url,
          PORT: '0',
          ADMIN_PORT: '0',
          AWS_REGION: 'us-west-2',
          LOG_LEVEL: 'silent',
        },
        stdio: ['ignore', 'ignore', 'pipe'],
      },
    );
    let said = '';
    child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
    await once(child, 'close');
    expect(child.exitCode).toBe(1);
    expect(said.trim().split('\n')).toEqual([expect.stringContaining(whatToSet)]);
  },
  60_000,
);

describe('a policy that changes', () => {
  test('is found on a new connection: the gate stays shut, says why, and opens once it is put right', async () => {
    await using server = await startOwnRedis();
    using admin = closing(new Redis(server.url));
    using own = closing(connectRedis(server.url, 'commands', silent));
    const gate = createGate(own.redis, () => assertFit(own.redis, ignore), silent);
    await gate.started;
    await admin.redis.config('SET', 'maxmemory-policy', 'allkeys-random');
    own.redis.disconnect(true);
    await expect.poll(() => gate.isOpen).toBe(false);
    await expect.poll(() => gate.problem).toContain(whatToSet);
    expect(gate.isOpen).toBe(false);
    await admin.redis.config('SET', 'maxmemory-policy', 'noeviction');
    await gate.opened();
    expect(gate.isOpen).toBe(true);
  });

  test('stops new work while it lasts', async () => {
    await using server = await startOwnRedis();
    using own = closing(connectRedis(server.url, 'commands', silent));
    await once(own.redis, 'ready');
    const pressure = watchPressure(own.redis, silent);
    try {
      await own.redis.config('SET', 'maxmemory-policy', 'volatile-ttl');
      await expect.poll(() => pressure.refusal()?.code, { timeout: 5_000 }).toBe('overloaded');
      expect(pressure.problem).toContain(whatToSet);
      await own.redis.config('SET', 'maxmemory-policy', 'noeviction');
      await expect.poll(() => pressure.refusal(), { timeout: 5_000 }).toBeUndefined();
      expect(pressure.problem).toBeUndefined();
    } finally {
      pressure.close();
    }
  });
});

function withUser(url: string): string {
  return url.replace('redis://', 'redis://mesh:word@');
}

function closing(redis: Redis): { readonly redis: Redis } & Disposable {
  return { redis, [Symbol.dispose]: () => redis.disconnect() };
}
