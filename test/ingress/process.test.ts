import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { describe, expect, test } from 'vitest';
import { openCancellationChannel } from '../../services/ingress/cancellation-channel.ts';
import { newApiKey } from '../../shared/tenants/api-keys.ts';
import { startTestRedis } from '../support/redis.ts';
import { legacyCall, messageOf, post } from './an-ingress.ts';

const main = join(import.meta.dirname, '../../services/ingress/main.ts');

function startProcess(environment: Record<string, string>) {
  const child = spawn(process.execPath, [main], {
    env: {
      ...process.env,
      PORT: '0',
      ADMIN_PORT: '0',
      LOG_LEVEL: 'info',
      // Nothing listens there.
      AWS_ENDPOINT_URL: 'http://127.0.0.1:9',
      AWS_ACCESS_KEY_ID: 'test',
      AWS_SECRET_ACCESS_KEY: 'test',
      ...environment,
    },
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
  });
  let log = '';
  child.stderr?.setEncoding('utf8').on('data', (text) => (log += text));
  return {
    child,
    ready: once(child, 'message').then(([message]) => message as { mcp: string; admin: string }),
    exited: once(child, 'exit').then(([code]) => code as number | null),
    log: () => log,
    async [Symbol.asyncDispose]() {
      if (child.exitCode === null && child.signalCode === null) {
        child.kill('SIGKILL');
        await once(child, 'exit');
      }
    },
  };
}

describe('an ingress process', () => {
  test('tells its parent where it listens, and leaves cleanly on SIGTERM', async () => {
    await using redis = await startTestRedis();
    await using ingress = startProcess({ REDIS_URL: redis.url });
    const { mcp, admin } = await ingress.ready;
    const key = newApiKey();
    expect((await fetch(new URL('/readyz', admin))).status).toBe(200);

    const response = await post({ mcp, key }, legacyCall('kv_get', { key: 'secret-argument' }));
    expect(response.status).toBe(503);
    expect(response.headers.get('retry-after')).toBe('1');
    expect((await messageOf(response)).error.data['agent-mesh/fault']).toBe('overloaded');
    const metrics = await (await fetch(new URL('/metrics', admin))).text();
    expect(metrics).toContain('agent_mesh_http_responses_total{status="503"} 1\n');

    ingress.child.kill('SIGTERM');
    expect(await ingress.exited).toBe(0);
    expect(ingress.log()).toContain('ingress stopped');
    expect(ingress.log()).not.toContain('secret-argument');
    expect(ingress.log()).not.toContain(key);
  });

  test('leaves when its parent is gone', async () => {
    await using redis = await startTestRedis();
    await using ingress = startProcess({ REDIS_URL: redis.url });
    await ingress.ready;
    ingress.child.disconnect();
    expect(await ingress.exited).toBe(0);
  });

  test.each(['its parent is gone', 'asked to'])(
    'leaves when %s although Redis never answered',
    async (why) => {
      await using ingress = startProcess({ REDIS_URL: 'redis://127.0.0.1:9' });
      await expect.poll(() => ingress.log(), { timeout: 10_000 }).toContain('reconnecting');
      if (why === 'asked to') ingress.child.kill('SIGTERM');
      else ingress.child.disconnect();
      expect(await ingress.exited).toBe(0);
    },
  );

  test('refuses to start without a token check where others could reach it', async () => {
    await using ingress = startProcess({ AUTH: 'off', HOST: '0.0.0.0' });
    expect(await ingress.exited).toBe(1);
    expect(ingress.log()).toMatch(/^AUTH=off is accepted on a loopback address only/);
  });

  test('refuses to start with issuers that are wrong, or without knowing what tokens are for', async () => {
    const issuer = { issuer: 'https://a.example', claims: { tenant: 't', user: 'sub' } };
    await using aimless = startProcess({ JWT_ISSUERS: JSON.stringify([issuer]) });
    await using wrong = startProcess({
      JWT_ISSUERS: JSON.stringify([{ ...issuer, algorithms: ['HS256'] }]),
      RESOURCE_URL: 'http://mesh.example/mcp',
    });
    expect(await aimless.exited).toBe(1);
    expect(aimless.log()).toMatch(/^JWT_ISSUERS needs RESOURCE_URL/);
    expect(await wrong.exited).toBe(1);
    expect(wrong.log()).toContain('0.algorithms.0: Invalid option');
    expect(wrong.log()).toContain('RESOURCE_URL="http://mesh.example/mcp": must be https://');
  });
});

describe('ingresses of one Redis', () => {
  test('hear each other’s cancels again after an outage', async () => {
    await using redis = await startTestRedis();
    const connections = [1, 2, 3].map(() => new Redis(redis.url));
    const [commands, one, two] = connections;
    if (!commands || !one || !two) throw new Error('three connections');
    try {
      const from = await openCancellationChannel('c', { commands, subscriptions: one });
      const to = await openCancellationChannel('c', { commands, subscriptions: two });
      const hear = () => {
        const heard = Promise.withResolvers<string>();
        const stop = to.subscribe(heard.resolve);
        return heard.promise.finally(stop);
      };
      const first = hear();
      await from.publish('a');
      expect(await first).toBe('a');

      const back = once(two, 'ready');
      two.disconnect(true);
      await back;
      await expect.poll(() => commands.pubsub('NUMSUB', 'c')).toEqual(['c', 2]);
      const second = hear();
      await from.publish('b');
      expect(await second).toBe('b');
    } finally {
      for (const each of connections) each.disconnect();
    }
  });
});
