import { expect, test, vi } from 'vitest';
import { startLocalAws } from '../../deploy/local/aws/server.ts';
import { provision } from '../../deploy/local/provision.ts';
import { clusterSettings } from '../../shared/config/cluster.ts';
import { readConfig } from '../../shared/config/setting.ts';
import { startTestRedis } from '../support/redis.ts';
import { makeTempDir } from '../support/temp-dir.ts';
import { aCall, aTenant, entriesOf, openAudit, verify } from './an-audit.ts';

test('an outage of DynamoDB loses nothing and holds nobody up', async () => {
  await using folder = await makeTempDir();
  await using redis = await startTestRedis();
  const credentials = { accessKeyId: 'AKIALOCALROOT', secretAccessKey: 'local-secret' };
  const resources = readConfig(clusterSettings, {});
  const { region } = resources;
  const start = (port: number) =>
    startLocalAws({ port, dataDir: folder.path, region, credentials });
  const before = await start(0);
  const access = { region, endpoint: before.url, credentials };
  await provision(access, resources);

  const tenant = aTenant();
  const open = openAudit({ redisUrl: redis.url, access });
  open.audit.record(aCall(tenant, 'before'));
  await vi.waitFor(
    async () => expect(await open.log.readHead(tenant.id)).toMatchObject({ seq: 1 }),
    5_000,
  );

  await before.close();
  const startedAt = performance.now();
  for (let made = 0; made < 1_000; made += 1) open.audit.record(aCall(tenant, `during-${made}`));
  expect(performance.now() - startedAt).toBeLessThan(200);
  await vi.waitFor(
    () => expect(open.problems).toEqual(['audit waits in Redis: it cannot be written']),
    5_000,
  );

  const after = await start(Number(new URL(before.url).port));
  open.audit.record(aCall(tenant, 'after'));
  await vi.waitFor(
    async () => expect(await open.log.readHead(tenant.id)).toMatchObject({ seq: 1_002 }),
    10_000,
  );
  const calls = (await entriesOf(open, tenant.id)).map((entry) =>
    entry.action === 'gap' ? entry.action : entry.invocation,
  );
  expect(calls).toEqual([
    'before',
    ...Array.from({ length: 1_000 }, (_, index) => `during-${index}`),
    'after',
  ]);
  expect(await verify(open, tenant.id)).toMatchObject({ intact: true, to: 1_002 });
  await open.close();
  await after.close();
}, 40_000);
