/**
 * Looks at the cluster each second while somebody wants to see it, once for all who do, and
 * remembers the last five minutes of it. Costs a handful of commands, whatever the number of tenants.
 */
import type { Redis } from 'ioredis';
import { indexPrefix, indexSuffixes } from '../queue/names.ts';
import type { ClusterView, IngressView, WorkerView } from './api.ts';
import type { Watch } from './events.ts';
import { quantile } from './pace.ts';
import { readProcesses, type LiveProcess } from './processes.ts';
import { readRedisView } from './redis-view.ts';

const everyMs = 1_000;
const remembered = 300;
/** A page that is reloaded finds what it had. */
const lingerMs = 60_000;
const rateWindowMs = 5_000;
const latencyWindowMs = 10_000;

interface Sample {
  readonly at: number;
  readonly processes: readonly LiveProcess[];
}

export interface ClusterWatch extends Watch {
  close(): void;
}

export function watchCluster(ports: {
  readonly redis: Redis;
  readonly shards: number;
  readonly onProblem: (what: string, cause: unknown) => void;
}): ClusterWatch {
  const { redis, shards, onProblem } = ports;
  const listeners = new Set<(views: readonly ClusterView[]) => void>();
  let views: ClusterView[] = [];
  let samples: Sample[] = [];
  let timer: NodeJS.Timeout | undefined;
  let linger: NodeJS.Timeout | undefined;
  let isLooking = false;
  let isFailing = false;

  async function look(): Promise<void> {
    if (isLooking) return;
    isLooking = true;
    try {
      const [processes, servers, shardViews] = await Promise.all([
        readProcesses(redis),
        readRedisView(redis),
        Promise.all(Array.from({ length: shards }, (_, shard) => readShard(redis, shard))),
      ]);
      const at = Date.now();
      samples = [...samples, { at, processes }].filter((each) => each.at >= at - latencyWindowMs);
      const view: ClusterView = {
        at,
        workers: processes.filter(({ kind }) => kind === 'worker').map(toWorker),
        ingresses: processes.filter(({ kind }) => kind === 'ingress').map(toIngress),
        redis: servers,
        ...addUp(shardViews),
        ...paceOf(samples),
      };
      views = [...views, view].slice(-remembered);
      isFailing = false;
      for (const listener of listeners) listener([view]);
    } catch (cause) {
      if (!isFailing) onProblem('the console cannot see the cluster', cause);
      isFailing = true;
    } finally {
      isLooking = false;
    }
  }

  function stop(): void {
    clearInterval(timer);
    timer = undefined;
    views = [];
    samples = [];
  }

  return {
    start(onView) {
      clearTimeout(linger);
      listeners.add(onView);
      timer ??= setInterval(() => void look(), everyMs);
      if (views.length > 0) onView(views);
      else void look();
      return () => {
        listeners.delete(onView);
        if (listeners.size === 0) linger = setTimeout(stop, lingerMs).unref();
      };
    },
    close() {
      clearTimeout(linger);
      stop();
    },
  };
}

type ShardView = Pick<ClusterView, 'outstanding' | 'busyTenants' | 'readyTenants' | 'heldMs'>;

async function readShard(redis: Redis, shard: number): Promise<ShardView> {
  const key = (suffix: string): string => indexPrefix(shard) + suffix;
  const [outstanding, busyTenants, readyTenants, held] = await Promise.all([
    redis.zcard(key(indexSuffixes.deadlines)),
    redis.zcard(key(indexSuffixes.busy)),
    redis.zcard(key(indexSuffixes.ready)),
    redis.pttl(key(indexSuffixes.hold)),
  ]);
  return { outstanding, busyTenants, readyTenants, heldMs: Math.max(0, held) };
}

function addUp(shards: readonly ShardView[]): ShardView {
  const sum = (read: (shard: ShardView) => number): number =>
    shards.reduce((total, shard) => total + read(shard), 0);
  return {
    outstanding: sum(({ outstanding }) => outstanding),
    busyTenants: sum(({ busyTenants }) => busyTenants),
    readyTenants: sum(({ readyTenants }) => readyTenants),
    heldMs: Math.max(...shards.map(({ heldMs }) => heldMs)),
  };
}

/** Each process against what it was when the window began; one that is new, against nothing. */
function paceOf(samples: readonly Sample[]) {
  const latest = samples.at(-1);
  let calls = 0;
  let refusals = 0;
  const latencies: number[] = [];
  for (const process of latest?.processes ?? []) {
    const rateStart = pastOf(process, samples, rateWindowMs);
    if (rateStart) {
      const seconds = (process.upMs - rateStart.upMs) / 1_000;
      calls += (process.calls - rateStart.calls) / seconds;
      refusals += (process.refusals - rateStart.refusals) / seconds;
    }
    const start = pastOf(process, samples, latencyWindowMs);
    for (const [at, count] of process.latencies.entries()) {
      if (start) latencies[at] = (latencies[at] ?? 0) + count - (start.latencies[at] ?? 0);
    }
  }
  const [p50, p99] = [quantile(latencies, 0.5), quantile(latencies, 0.99)];
  return {
    callsPerSecond: toTenths(calls),
    refusalsPerSecond: toTenths(refusals),
    ...(p50 === undefined ? {} : { p50 }),
    ...(p99 === undefined ? {} : { p99 }),
  };
}

/** The oldest word of the process within the window. */
function pastOf(
  { name, upMs }: LiveProcess,
  samples: readonly Sample[],
  windowMs: number,
): LiveProcess | undefined {
  return samples
    .flatMap(({ processes }) => processes.find((each) => each.name === name) ?? [])
    .find((each) => each.upMs < upMs && upMs - each.upMs <= windowMs);
}

const toTenths = (value: number): number => Math.round(value * 10) / 10;

function toWorker(process: LiveProcess): WorkerView {
  const { slots, running } = process;
  return { ...toProcess(process), slots, running };
}

function toIngress(process: LiveProcess): IngressView {
  return { ...toProcess(process), inFlight: process.running };
}

function toProcess({ name, host, version, upMs, silentMs, draining }: LiveProcess) {
  return { name, host, version, upMs, silentMs, draining };
}
