/** What a cluster does when nobody asks anything of it. */
import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import type { MeshTarget } from '../targets/mesh.ts';
import { withCpu } from './processes.ts';

export interface IdleCost {
  /** Those that scripts run count as well. */
  readonly commandsPerSecond: number;
  /** By name, the most frequent first. */
  readonly commands: Readonly<Record<string, number>>;
  /** Of one core, over all processes. */
  readonly cpuPercent: number;
  readonly cpuPercentOf: Readonly<Record<string, number>>;
}

type Counts = ReadonlyMap<string, number>;

export async function readIdleCost(mesh: MeshTarget, forMs: number): Promise<IdleCost> {
  const redis = new Redis(mesh.cluster.redis);
  const before = await countCommands(redis);
  const startedAt = performance.now();
  const { cpuUs } = await withCpu(mesh.processes, () => sleep(forMs));
  const seconds = (performance.now() - startedAt) / 1_000;
  const after = await countCommands(redis);
  redis.disconnect();

  const commands = [...after]
    .map(([name, count]) => [name, (count - (before.get(name) ?? 0)) / seconds] as const)
    .filter(([, rate]) => rate > 0)
    .sort(([, a], [, b]) => b - a);
  const cpu = Object.entries(cpuUs).map(([name, us]) => [name, us / seconds / 1e4] as const);
  return {
    commandsPerSecond: sum(commands.map(([, rate]) => rate)),
    commands: Object.fromEntries(commands),
    cpuPercent: sum(cpu.map(([, percent]) => percent)),
    cpuPercentOf: Object.fromEntries(cpu),
  };
}

/** Without the command that counts. */
async function countCommands(redis: Redis): Promise<Counts> {
  const stats = (await redis.info('commandstats')).matchAll(/cmdstat_([^:]+):calls=(\d+)/g);
  return new Map(
    [...stats]
      .map(([, name = '', calls]) => [name, Number(calls)] as const)
      .filter(([name]) => name !== 'info'),
  );
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
