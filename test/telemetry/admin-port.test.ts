import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { clusterSettings } from '../../shared/config/cluster.ts';
import { readConfig } from '../../shared/config/setting.ts';
import { startAdmin } from '../../shared/telemetry/admin.ts';
import { startTestCluster, type TestCluster } from '../support/cluster.ts';

/** An address of this machine other than the one that the admin port takes by itself. */
const elsewhere = '127.0.0.2';

const at = (admin: string, path: string): URL => {
  const url = new URL(path, admin);
  url.hostname = elsewhere;
  return url;
};

describe('the admin port', () => {
  test('answers on the loopback address alone, unless told otherwise', async () => {
    const { adminHost: host } = readConfig(clusterSettings, {});
    const ports = { notReady: () => [], metrics: async () => '' };
    const admin = await startAdmin({ host, port: 0 }, ports);
    expect((await fetch(new URL('/healthz', admin.url))).status).toBe(200);
    await expect(fetch(at(admin.url, '/healthz'))).rejects.toThrow('fetch failed');
    await admin.close();
  });
});

describe('the admin port of a process with ADMIN_HOST', () => {
  let cluster: TestCluster;
  beforeAll(async () => {
    cluster = await startTestCluster({ environment: { ADMIN_HOST: '0.0.0.0' } });
  });
  afterAll(() => cluster[Symbol.asyncDispose]());

  test('tells other machines of its health and its metrics', async () => {
    const admins = [...cluster.ingresses, ...cluster.workers].map(({ ready }) => ready.admin);
    expect(admins.map((admin) => new URL(admin).hostname)).toEqual(['127.0.0.1', '127.0.0.1']);
    for (const admin of admins) {
      for (const path of ['/healthz', '/readyz', '/metrics']) {
        expect([path, (await fetch(at(admin, path))).status]).toEqual([path, 200]);
      }
    }
  });

  test('tells nothing else to whoever is not signed in', async () => {
    const admin = cluster.ingresses[0]?.ready.admin ?? '';
    for (const path of ['/', '/api/session', '/api/tenants', '/api/events']) {
      expect([path, (await fetch(at(admin, path))).status]).toEqual([path, 403]);
    }
    expect((await fetch(new URL('/api/tenants', admin))).status).toBe(401);
  });
});
