/**
 * Word for a client that asked for progress, from the first second of waiting on: how many calls
 * of its tenant are before its own, then that it runs, mixed with the tool's own progress. Values
 * always increase: what is told here moves the tool's numbers up by one each time.
 */
import type { Redis } from 'ioredis';
import type { InvocationId } from '../../shared/ids.ts';
import type { Progress } from '../../shared/queue/invocation.ts';
import { queueKey } from '../../shared/queue/names.ts';
import type { Tenant } from '../../shared/tenants/tenant.ts';

type Heard = Pick<Progress, 'progress' | 'total' | 'message'>;

/** Where a call stands: `ahead` undefined if it waits no more, Infinity if there are too many to count. */
export type FindPlace = (tenant: Tenant, id: InvocationId) => Promise<number | undefined>;

export interface Telling {
  /** Passes the tool's own progress on. */
  readonly hear: (progress: Heard) => void;
  /** Starts to tell, once the call is admitted. */
  start(): void;
  stop(): void;
}

const firstAfterMs = 1_000;
/** Well below the timeouts of clients that start over with each word of progress. */
const everyMs = 5_000;
/** So many entries of a queue are looked through, which takes Redis some microseconds. */
const mostCounted = 1_000;

/** @param redis answers from the queues' own lists */
export function createFindPlace(redis: Redis): FindPlace {
  return async ({ id: tenant, shard }, id) => {
    const wait = queueKey(shard, tenant, 'wait');
    const [place, length] = await Promise.all([
      // Calls are taken from the tail.
      redis.lpos(wait, id, 'RANK', -1, 'MAXLEN', mostCounted),
      redis.llen(wait),
    ]);
    if (typeof place === 'number') return Math.max(0, length - 1 - place);
    const waits =
      length > mostCounted && (await redis.hexists(queueKey(shard, tenant, id), 'pb')) === 0;
    return waits ? Infinity : undefined;
  };
}

export function tellWaiting(
  call: { readonly tenant: Tenant; readonly id: InvocationId },
  tell: (progress: Progress) => void,
  findPlace: FindPlace,
): Telling {
  let told = 0;
  let last: Heard = { progress: 0 };
  let timer: NodeJS.Timeout | undefined;
  let stopped = false;

  const say = ({ progress, total, message }: Heard): void => {
    const { id } = call;
    tell({
      id,
      status: 'progress',
      progress: told + progress,
      total: total === undefined ? total : told + total,
      message,
    });
  };

  const turn = async (): Promise<void> => {
    try {
      const ahead = await findPlace(call.tenant, call.id);
      if (stopped) return;
      told += 1;
      say({ ...last, message: describe(ahead, last) });
    } catch {
      // Redis does not answer. The call has its deadline.
    }
    if (!stopped) timer = setTimeout(() => void turn(), everyMs);
  };

  return {
    hear(progress) {
      if (progress.progress <= last.progress && last.progress !== 0) return;
      last = progress;
      say(progress);
    },
    start() {
      timer = setTimeout(() => void turn(), firstAfterMs);
    },
    stop() {
      stopped = true;
      clearTimeout(timer);
    },
  };
}

function describe(ahead: number | undefined, { message }: Heard): string {
  if (ahead === undefined) return message ?? 'Running';
  if (ahead === Infinity) return `Waiting, more than ${mostCounted} calls before this one`;
  return `Waiting, ${ahead} ${ahead === 1 ? 'call' : 'calls'} before this one`;
}
