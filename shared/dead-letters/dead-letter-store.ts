/**
 * The dead letters of a tenant in Redis, where the settlement of the call has put them: listed,
 * replayed under their original id and with all their arguments, or thrown away. At most 1,000
 * of a tenant and 32 MiB, for at most 14 days; the oldest go first.
 */
import type { Redis } from 'ioredis';
import { z } from 'zod';
import { Fault } from '../faults.ts';
import { InvocationId, type TenantId } from '../ids.ts';
import type { AdmissionRequest } from '../queue/admission.ts';
import type { InvocationQueue } from '../queue/invocation-queue.ts';
import { deadLetters, deadLetterTimes } from '../queue/names.ts';
import { User, type Tenant } from '../tenants/tenant.ts';
import { parseLetter, type DeadLetter, type SensitiveOf } from './dead-letter.ts';

export interface DeadLetterFilter {
  readonly tool?: string | undefined;
  readonly code?: string | undefined;
  /** Looks at so many of the newest alone. */
  readonly newest?: number | undefined;
}

/** Whose letters, and where they are. */
type Owner = Pick<Tenant, 'id' | 'shard'>;

export interface DeadLetterStore {
  /** Newest first. */
  list(tenant: Owner, filter?: DeadLetterFilter): Promise<readonly DeadLetter[]>;
  count(tenant: Owner): Promise<number>;
  read(tenant: Owner, id: InvocationId): Promise<DeadLetter | undefined>;
  /**
   * Has the call run again, as its caller sent it, whatever it may have done before: for a tool that
   * must run at most once this is a decision. It costs nothing of the rates.
   * Resolves with false if there is no such letter any more.
   * @throws {Fault} `internal` if the message cannot be read; those of an admission.
   */
  replay(tenant: Tenant, id: InvocationId): Promise<boolean>;
  discard(tenant: Owner, ids: readonly InvocationId[]): Promise<number>;
}

/** The dead letters of one tenant, for its tools. Rejects as the store does. */
export interface DeadLetterBox {
  list(filter?: DeadLetterFilter): Promise<readonly DeadLetter[]>;
  replay(id: InvocationId): Promise<boolean>;
}

/** @param readTenant the record as it is now; undefined if the tenant is gone */
export function openBox(
  store: DeadLetterStore,
  { id, shard }: Pick<Tenant, 'id' | 'shard'>,
  readTenant: (id: TenantId) => Promise<Tenant | undefined>,
): DeadLetterBox {
  return {
    list: (filter) => store.list({ id, shard }, filter),
    async replay(call) {
      const tenant = await readTenant(id);
      return tenant === undefined ? false : store.replay(tenant, call);
    },
  };
}

export interface DeadLetterPorts {
  readonly redis: Redis;
  readonly queue: Pick<InvocationQueue, 'admit' | 'discard'>;
  readonly sensitiveOf: SensitiveOf;
  /** How long a call of this tool may take. */
  readonly timeoutOf: (tool: string) => number;
}

/** Nobody listens there: whoever retries under the same key reads the stored reply. */
const nobody = 'mesh:reply:replay';
const admitWithinMs = 5_000;

const Texts = z.array(z.string().nullable());

export function createDeadLetterStore(ports: DeadLetterPorts): DeadLetterStore {
  const { redis, queue, sensitiveOf } = ports;

  const open = async ({ id: tenant, shard }: Owner, ids: readonly string[]) => {
    if (ids.length === 0) return [];
    const texts = Texts.parse(await redis.hmget(deadLetters(shard, tenant), ...ids));
    const times = await redis.zmscore(deadLetterTimes(shard, tenant), ...ids);
    return ids.flatMap((each, i) => {
      const text = texts[i];
      const id = InvocationId.safeParse(each).data;
      if (typeof text !== 'string' || id === undefined) return [];
      return [parseLetter(text, { id, tenant, failedAt: Number(times[i]) }, sensitiveOf)];
    });
  };

  return {
    async list(tenant, { tool, code, newest = 0 } = {}) {
      const times = deadLetterTimes(tenant.shard, tenant.id);
      const ids = await redis.zrevrange(times, 0, newest - 1);
      const letters = (await open(tenant, ids)).map(({ letter }) => letter);
      return letters.filter(
        (letter) =>
          (tool === undefined || letter.tool === tool) &&
          (code === undefined || letter.code === code),
      );
    },

    count: (tenant) => redis.zcard(deadLetterTimes(tenant.shard, tenant.id)),

    async read(tenant, id) {
      return (await open(tenant, [id]))[0]?.letter;
    },

    async replay(tenant, id) {
      const [found] = await open(tenant, [id]);
      if (!found) return false;
      if (!found.replayable) throw new Fault('internal', `The message of ${id} cannot be read.`);
      const { invocation, fingerprint, replyTtlMs } = found.replayable;
      const [seconds] = await redis.time();
      const request: AdmissionRequest = {
        tenant,
        user: User.parse({ id: invocation.user }),
        invocation: { ...invocation, progress: false, replay: (invocation.replay ?? 0) + 1 },
        replyTo: nobody,
        replyTtlMs,
        fingerprint,
        admitBy: Number(seconds) * 1_000 + admitWithinMs,
        timeoutMs: ports.timeoutOf(invocation.tool),
        cost: 0,
        replays: true,
      };
      const admission = await queue.admit(request);
      if (admission.outcome === 'refused') throw admission.fault;
      return true;
    },

    discard: (tenant, ids) => (ids.length === 0 ? Promise.resolve(0) : queue.discard(tenant, ids)),
  };
}
