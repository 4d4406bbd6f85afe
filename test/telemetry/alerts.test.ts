import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';
import { findFreePort } from '../../deploy/local/ports.ts';
import { resultOf } from '../support/call.ts';
import { startTestCluster } from '../support/cluster.ts';
import { makeTempDir } from '../support/temp-dir.ts';
import { hasPrometheus, needsPrometheus } from './programs.ts';

const folder = join(import.meta.dirname, '../../deploy/observability');
const Rules = z.object({
  groups: z.array(z.object({ rules: z.array(z.object({ alert: z.string(), expr: z.string() })) })),
});
const Answer = z.object({
  status: z.string(),
  data: z.object({
    result: z.array(
      z.object({
        metric: z.record(z.string(), z.string()),
        value: z.tuple([z.number(), z.string()]),
      }),
    ),
  }),
});

test.skipIf(!hasPrometheus)(`the alert rules hold what their tests say${needsPrometheus}`, () => {
  const options = { cwd: folder, encoding: 'utf8' as const };
  for (const args of [
    ['check', 'rules', 'alerts.yaml'],
    ['test', 'rules', 'alerts.test.yaml'],
  ]) {
    const { status, stdout, stderr } = spawnSync('promtool', args, options);
    expect(stdout + stderr).toContain('SUCCESS');
    expect(status).toBe(0);
  }
});

test('the dashboard and the alerts ask only for metrics that a process tells', async () => {
  await using cluster = await startTestCluster();
  await resultOf(cluster, 'kv_get', { key: 'a' });
  await expect
    .poll(() => scrapeAll(cluster), { timeout: 15_000 })
    .toMatch(/agent_mesh_admissible_backlog/);
  const told = await scrapeAll(cluster);
  const asked = [
    await readFile(join(folder, 'alerts.yaml'), 'utf8'),
    await readFile(join(folder, 'grafana/agent-mesh.json'), 'utf8'),
  ].join('\n');
  const names = new Set(asked.match(/\b(agent_mesh|process)_[a-z_]+\b/g));
  // Told only once there is a limit of memory, or a refusal.
  const later = new Set(['agent_mesh_redis_memory_ratio', 'agent_mesh_refusals_total']);
  const missing = [...names].filter((name) => !later.has(name) && !told.includes(name));
  expect(missing).toEqual([]);
});

test.skipIf(!hasPrometheus)(
  `a real Prometheus scrapes a cluster and evaluates every alert${needsPrometheus}`,
  async () => {
    await using cluster = await startTestCluster({ workers: 2 });
    await resultOf(cluster, 'kv_get', { key: 'a' });
    await using prometheus = await startPrometheus({
      ingress: cluster.ingresses.map(({ ready }) => ready.admin),
      worker: cluster.workers.map(({ ready }) => ready.admin),
    });

    await expect.poll(() => prometheus.ask('sum(up)'), { timeout: 20_000 }).toEqual(['3']);
    expect(await prometheus.ask('sum(agent_mesh_worker_slots)')).toEqual(['128']);
    await expect
      .poll(() => prometheus.ask('max(agent_mesh_redis_up)'), { timeout: 10_000 })
      .toEqual(['1']);
    const { groups } = Rules.parse(parse(await readFile(join(folder, 'alerts.yaml'), 'utf8')));
    for (const { alert, expr } of groups.flatMap(({ rules }) => rules)) {
      if (alert === 'RedisSlow' || alert === 'EventLoopBlocked') continue;
      expect([alert, await prometheus.ask(expr)]).toEqual([alert, []]);
    }

    // The alert of a process that goes away begins to be true.
    process.kill(cluster.workers[0]?.pid ?? 0, 'SIGKILL');
    const down = groups[0]?.rules.find(({ alert }) => alert === 'ProcessDown')?.expr ?? '';
    await expect.poll(() => prometheus.ask(down), { timeout: 15_000 }).toEqual(['0']);
  },
  60_000,
);

type Admins = Pick<Awaited<ReturnType<typeof startTestCluster>>, 'ingresses' | 'workers'>;

async function scrapeAll({ ingresses, workers }: Admins): Promise<string> {
  const admins = [...ingresses, ...workers].map(({ ready }) => ready.admin);
  const texts = admins.map(async (admin) => (await fetch(`${admin}/metrics`)).text());
  return (await Promise.all(texts)).join('\n');
}

async function startPrometheus(targets: Readonly<Record<string, readonly string[]>>) {
  const data = await makeTempDir();
  const config = join(data.path, 'prometheus.yml');
  const jobs = Object.entries(targets).map(([job, admins]) => ({
    job_name: `agent-mesh-${job}`,
    static_configs: [{ targets: admins.map((admin) => new URL(admin).host) }],
  }));
  const rules = join(folder, 'alerts.yaml');
  await writeFile(
    config,
    JSON.stringify({
      global: { scrape_interval: '500ms', scrape_timeout: '500ms' },
      rule_files: [rules],
      scrape_configs: jobs,
    }),
  );
  const address = `127.0.0.1:${await findFreePort()}`;
  const child = spawn('prometheus', [
    `--config.file=${config}`,
    `--storage.tsdb.path=${data.path}/data`,
    `--web.listen-address=${address}`,
  ]);
  const ended = once(child, 'exit');
  const ready = (): Promise<boolean> =>
    fetch(`http://${address}/-/ready`).then(
      ({ ok }) => ok,
      () => false,
    );
  await expect.poll(ready, { timeout: 20_000 }).toBe(true);
  return {
    /** The values that an expression has now. */
    async ask(expression: string): Promise<readonly string[]> {
      const url = `http://${address}/api/v1/query?query=${encodeURIComponent(expression)}`;
      const { data } = Answer.parse(await (await fetch(url)).json());
      return data.result.map(({ value }) => value[1]);
    },
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL');
      await ended;
      await data[Symbol.asyncDispose]();
    },
  };
}
