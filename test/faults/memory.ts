/** Whether the memory that a fault took came back: of Redis, and of each process that outlived it. */
import { readFile } from 'node:fs/promises';
import { mastersOf } from '../../shared/queue/redis.ts';
import type { FaultFleet } from './fleet.ts';
import { measureHeap } from './inspector.ts';

export interface MemoryLevels {
  /** Bytes in use, of all nodes. */
  readonly redis: number;
  readonly processes: ReadonlyMap<string, ProcessMemory>;
}

interface ProcessMemory {
  /** After a collection of garbage. */
  readonly heap: number;
  readonly resident: number;
}

/** MiB by which something may have grown at most, once all is quiet again. */
export const growthBounds = {
  /** Its record of leases, its audit and its replies are bounded, and not full yet. */
  redis: 8,
  heap: 8,
  /** The allocator keeps pages for later. */
  resident: 96,
} as const;

export type Growth = { readonly [K in keyof typeof growthBounds]: number };

export async function measureMemory(fleet: FaultFleet): Promise<MemoryLevels> {
  const infos = await Promise.all(mastersOf(fleet.ask).map((node) => node.info('memory')));
  const used = infos.map((info) => Number(/^used_memory:(\d+)/m.exec(info)?.[1]));
  const processes = await Promise.all(
    [...fleet.ingresses, ...fleet.workers].map(async (each) => {
      const heap = await measureHeap(each, fleet.logDir);
      return [each.name, { heap, resident: await residentOf(each.pid) }] as const;
    }),
  );
  return { redis: used.reduce((sum, each) => sum + each, 0), processes: new Map(processes) };
}

async function residentOf(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]) * 1_024;
}

/**
 * In MiB, of the process that grew most. A process that is younger than the fleet's first stretch
 * still fills its caches: it has grown only by what takes it above the `warm` ones of its kind.
 */
export function growthSince(before: MemoryLevels, warm: MemoryLevels, now: MemoryLevels): Growth {
  const growth = [...now.processes].flatMap(([name, { heap, resident }]) => {
    const own = before.processes.get(name);
    if (!own) return [];
    const usual = levelOf(warm, kindOf(name));
    return {
      heap: heap - Math.max(own.heap, usual.heap),
      resident: resident - Math.max(own.resident, usual.resident),
    };
  });
  return {
    redis: toMiB(now.redis - before.redis),
    heap: toMiB(most(growth.map(({ heap }) => heap))),
    resident: toMiB(most(growth.map(({ resident }) => resident))),
  };
}

/** Where every process was replaced, none has grown. */
const most = (values: readonly number[]): number => Math.max(...(values.length > 0 ? values : [0]));

/** The lowest of its kind. */
function levelOf({ processes }: MemoryLevels, kind: string): ProcessMemory {
  const same = [...processes].flatMap(([name, level]) => (kindOf(name) === kind ? [level] : []));
  return {
    heap: Math.min(...same.map(({ heap }) => heap)),
    resident: Math.min(...same.map(({ resident }) => resident)),
  };
}

const kindOf = (name: string): string => name.slice(0, name.indexOf('-'));
const toMiB = (bytes: number): number => Math.round((bytes / 1_048_576) * 10) / 10;
