/** What the queue's keys in Redis say, and what the model says, in one form that can be compared. */
import type { Redis } from 'ioredis';
import type { TenantId } from '../../shared/ids.ts';
import { indexPrefix, indexSuffixes, queueKey } from '../../shared/queue/names.ts';
import type { Model } from './model.ts';

const index = (name: keyof typeof indexSuffixes): string => indexPrefix(0) + indexSuffixes[name];

interface QueueView {
  readonly waiting: readonly string[];
  readonly active: readonly string[];
  readonly cap: number | undefined;
  readonly weight: number;
  readonly version: number;
  /** Bytes of arguments of unfinished calls. */
  readonly bytes: number;
}

export interface View {
  readonly queues: Readonly<Record<string, QueueView>>;
  readonly ready: Readonly<Record<string, number>>;
  readonly busy: readonly string[];
  readonly finish: Readonly<Record<string, number>>;
  readonly clock: number;
  /** `<tenant>/<id>` of unfinished calls. */
  readonly unfinished: readonly string[];
  readonly rung: boolean;
}

export async function viewRedis(redis: Redis, tenants: readonly TenantId[]): Promise<View> {
  const [ready, busy, tag, deadlines, bell] = await Promise.all([
    redis.zrange(index('ready'), '0', '-1', 'WITHSCORES'),
    redis.zrange(index('busy'), '0', '-1'),
    redis.hgetall(index('tag')),
    redis.zrange(index('deadlines'), '0', '-1'),
    redis.llen(index('bell')),
  ]);
  const queues = await Promise.all(
    tenants.map(async (tenant) => [tenant, await viewQueue(redis, tenant)] as const),
  );
  const { '': clock, ...finish } = tag;
  return {
    queues: Object.fromEntries(queues),
    ready: Object.fromEntries(pairs(ready).map(([tenant, score]) => [tenant, Number(score)])),
    busy: busy.sort(),
    finish: Object.fromEntries(Object.entries(finish).map(([tenant, at]) => [tenant, Number(at)])),
    clock: Number(clock ?? 0),
    unfinished: deadlines.sort(),
    rung: bell === 1,
  };
}

export function viewModel(model: Model, tenants: readonly TenantId[]): View {
  const calls = [...model.calls.values()];
  return {
    queues: Object.fromEntries(
      tenants.map((tenant) => {
        const { waiting, active, cap, weight, version } = model.queue(tenant);
        const own = calls.filter((call) => call.tenant === tenant);
        const view: QueueView = {
          waiting: [...waiting],
          active: [...active].sort(),
          cap,
          weight,
          version,
          bytes: own.reduce((sum, { bytes }) => sum + bytes, 0),
        };
        return [tenant, view];
      }),
    ),
    ready: Object.fromEntries(model.ready),
    busy: [...model.busy].sort(),
    finish: Object.fromEntries(model.finish),
    clock: model.clock,
    unfinished: calls.map(({ tenant, id }) => `${tenant}/${id}`).sort(),
    rung: model.rung,
  };
}

async function viewQueue(redis: Redis, tenant: TenantId): Promise<QueueView> {
  const key = (suffix: string): string => queueKey(0, tenant, suffix);
  const [waiting, active, meta] = await Promise.all([
    redis.lrange(key('wait'), 0, -1),
    redis.lrange(key('active'), 0, -1),
    redis.hgetall(key('meta')),
  ]);
  const number = (field: string): number | undefined =>
    meta[field] === undefined ? undefined : Number(meta[field]);
  return {
    waiting: waiting.reverse(),
    active: active.sort(),
    cap: number('concurrency'),
    weight: number('weight') ?? 1,
    version: number('limitsVersion') ?? 0,
    bytes: number('backlogBytes') ?? 0,
  };
}

function pairs(flat: readonly string[]): [string, string][] {
  return flat.flatMap((name, i) => (i % 2 === 0 ? [[name, flat[i + 1] ?? '']] : []));
}
