/**
 * The queue's transitions as functions, one atomic script each. Whatever fails here fails with
 * ioredis' error and can be sent again: admit is idempotent by id, begin and settle by token.
 */
import type { Redis } from 'ioredis';
import { z } from 'zod';
import type { FaultCode } from '../faults.ts';
import type { InvocationId } from '../ids.ts';
import type { Tenant } from '../tenants/tenant.ts';
import { encodeAdmission, toRefusal, type Admission, type AdmissionRequest } from './admission.ts';
import { gather } from './batch.ts';
import { encodeReply, type Reply } from './invocation.ts';
import { JobFields, readLease, type Lease } from './lease.ts';
import { newestVersion, oldestVersion } from './message-versions.ts';
import { indexPrefix, versionsChannel, workerChannel } from './names.ts';
import type { ScriptName } from './scripts/compose.ts';
import { rewriteAof } from './rewrite-aof.ts';
import { runScript } from './scripts/run-script.ts';

/** Why a call became a dead letter. */
export interface Obituary {
  readonly code: FaultCode;
  readonly message: string;
  /** What the message does not tell a client. */
  readonly cause?: string | undefined;
}

export interface Claimed {
  readonly leases: readonly Lease[];
  /** Milliseconds until a hold after a Redis restart ends; 0 without one. */
  readonly heldMs: number;
}

export interface InvocationQueue {
  admit(request: AdmissionRequest): Promise<Admission>;
  /** Takes up to `n` calls of a shard, in fair order; over a connection of its own, if one is given. */
  claim(shard: number, n: number, over?: Redis): Promise<Claimed>;
  /** Marks that a once-tool is about to start: 'lost' without the lease, 'unknown' if it had begun before. */
  begin(lease: Lease): Promise<'begun' | 'lost' | 'unknown'>;
  /** Ends the call if the lease is still ours, and brings up to `next` further calls either way. With an obituary it becomes a dead letter. */
  settle(
    lease: Lease,
    reply: Reply,
    next: number,
    deadLetter?: Obituary,
  ): Promise<{ readonly settled: boolean; readonly leases: readonly Lease[] }>;
  /** Hands the call back to be claimed again; a foreign one as if it had never been claimed, behind the others. False if the lease was not ours any more. */
  release(lease: Lease): Promise<boolean>;
  /** Extends leases of one shard; the answers come in the same order. */
  renew(
    shard: number,
    leases: readonly Lease[],
  ): Promise<readonly ('held' | 'lost' | 'cancelled')[]>;
  /** Recovers calls whose lease ran out and ends those past their deadline, as `<tenant>/<id>`. */
  sweep(shard: number): Promise<{
    readonly recovered: readonly string[];
    readonly expired: readonly string[];
  }>;
  /** Ends a waiting call, or asks the worker that runs it to stop. */
  cancel(tenant: Tenant, id: InvocationId): Promise<'removed' | 'asked' | 'gone'>;
  /** Makes new limits hold for every start from now on. False if newer ones are there. */
  setLimits(tenant: Tenant): Promise<boolean>;
  /** To be called on every new connection, before anything else. Resolves with the ms of a hold. */
  hold(shard: number, over?: Redis): Promise<number>;
  /**
   * Says for so long that this worker lives, with so many slots, or this ingress, with none; 0 ms says
   * that it leaves. Resolves with the highest version of messages that every live worker and
   * ingress reads; 0 without a live worker.
   */
  announce(slots: number, forMs: number): Promise<number>;
  /** Throws dead letters away. Resolves with how many there were. */
  discard(tenant: Pick<Tenant, 'id' | 'shard'>, ids: readonly InvocationId[]): Promise<number>;
}

interface Ending {
  readonly lease: Lease;
  readonly reply: Reply;
  readonly next: number;
  readonly deadLetter: Obituary | undefined;
}

/** So many calls are handled in one script at most, which keeps it short. */
const mostAdmissions = 16;
const mostSettlements = 16;
/** So many tenants and deadlines are looked at in one sweep script, which keeps it short. */
const sweepBatch = 50;

/** Tenant, id, token, fields. Not checked further: a job that somebody else added must not cost its neighbours. */
const Taken = z.array(
  z.tuple([
    z.string().brand<'TenantId'>(),
    z.string().brand<'InvocationId'>(),
    z.string(),
    JobFields,
  ]),
);
const Answer = {
  admit: z.tuple([z.number()], z.tuple([z.string(), z.string().optional()])),
  claim: z.tuple([z.number(), z.number(), Taken]),
  begin: z.enum(['begun', 'lost', 'unknown']),
  settle: z.tuple([z.number(), Taken], z.string()),
  release: z.number(),
  renew: z.array(z.enum(['held', 'lost', 'cancelled'])),
  sweep: z.tuple([z.array(z.string()), z.array(z.string()), z.number()]),
  cancel: z.enum(['removed', 'asked', 'gone']),
  setLimits: z.number(),
  hold: z.tuple([z.number(), z.string(), z.number()]),
  announce: z.number(),
  discard: z.number(),
} as const;

/**
 * @param options.name unique per process: names the worker in jobs and starts its tokens
 * @param options.leaseMs how long a claim or renewal holds
 */
export function createInvocationQueue(
  redis: Redis,
  options: { readonly name: string; readonly leaseMs: number },
): InvocationQueue {
  const { name, leaseMs } = options;
  let claims = 0;
  /** What this process last knew: a Redis that comes back with nothing cannot tell that it was restarted. */
  const runIds = new Map<number, string>();
  const nextToken = (): string => `${name}.${(claims += 1)}`;

  const run = async <Out>(
    script: ScriptName,
    answer: z.ZodType<Out>,
    shard: number,
    args: readonly (string | number)[],
    over = redis,
  ): Promise<Out> => answer.parse(await runScript(over, script, indexPrefix(shard), args));

  const toLeases = (shard: number, now: number, taken: z.output<typeof Taken>): Lease[] =>
    taken.map(([tenant, id, token, fields]) =>
      readLease({ shard, tenant, id, token, now }, fields),
    );

  const admissions = eachShard((shard) =>
    gather(mostAdmissions, async (requests: readonly AdmissionRequest[]) => {
      const args = requests.flatMap(encodeAdmission);
      const [now, ...answers] = await run('admit', Answer.admit, shard, args);
      return answers.map(([outcome, detail]) =>
        outcome === 'error' ? new Error(detail) : ([now, outcome, detail] as const),
      );
    }),
  );

  const settlements = eachShard((shard) =>
    gather(mostSettlements, async (endings: readonly Ending[]) => {
      const next = endings.reduce((sum, ending) => sum + ending.next, 0);
      const args = endings.flatMap(toSettleArgs);
      const head = [next, nextToken(), leaseMs, name];
      const [now, taken, ...outcomes] = await run('settle', Answer.settle, shard, [
        ...head,
        ...args,
      ]);
      const leases = toLeases(shard, now, taken);
      return endings.map((ending, i) => {
        const outcome = outcomes[i] ?? '';
        const own = leases.splice(0, ending.next);
        if (outcome === 'settled' || outcome === 'lost') {
          return { settled: outcome === 'settled', leases: own };
        }
        return new Error(outcome);
      });
    }),
  );

  return {
    async admit(request) {
      const { tenant, invocation } = request;
      const [now, outcome, detail = ''] = await admissions(tenant.shard)(request);
      if (outcome === 'queued' || outcome === 'attached') {
        return { outcome, now, deadline: Number(detail) };
      }
      if (outcome === 'replied') return { outcome, now, reply: detail };
      return {
        outcome: 'refused',
        now,
        fault: toRefusal(outcome, Number(detail), tenant, invocation.tool),
      };
    },

    async claim(shard, n, over) {
      const args = [n, nextToken(), leaseMs, name];
      const [now, heldMs, taken] = await run('claim', Answer.claim, shard, args, over);
      return { heldMs, leases: toLeases(shard, now, taken) };
    },

    begin: ({ shard, tenant, id, token }) => run('begin', Answer.begin, shard, [tenant, id, token]),

    settle: (lease, reply, next, deadLetter) =>
      settlements(lease.shard)({ lease, reply, next, deadLetter }),

    async release({ shard, tenant, id, token, foreign }) {
      const args = [tenant, id, token, foreign ? 1 : 0];
      return (await run('release', Answer.release, shard, args)) === 1;
    },

    renew: (shard, leases) =>
      run('renew', Answer.renew, shard, [
        leaseMs,
        ...leases.flatMap(({ tenant, id, token }) => [tenant, id, token]),
      ]),

    async sweep(shard) {
      const [recovered, expired, more] = await run('sweep', Answer.sweep, shard, [sweepBatch]);
      if (more === 0) return { recovered, expired };
      const rest = await this.sweep(shard);
      return {
        recovered: [...recovered, ...rest.recovered],
        expired: [...expired, ...rest.expired],
      };
    },

    cancel: (tenant, id) =>
      run('cancel', Answer.cancel, tenant.shard, [tenant.id, id, workerChannel('')]),

    async setLimits({ id, shard, weight, version, limits }) {
      return (
        (await run('set-limits', Answer.setLimits, shard, [
          id,
          limits.concurrency,
          weight,
          version,
        ])) === 1
      );
    },

    async hold(shard, over) {
      const known = runIds.get(shard) ?? '';
      const [heldMs, runId, isFirst] = await run(
        'hold',
        Answer.hold,
        shard,
        [leaseMs, known],
        over,
      );
      runIds.set(shard, runId);
      if (isFirst === 1) await rewriteAof(over ?? redis);
      return heldMs;
    },

    announce: (slots, forMs) =>
      run('announce', Answer.announce, 0, [
        name,
        slots,
        newestVersion,
        Math.ceil(forMs),
        versionsChannel,
      ]),

    discard: ({ id, shard }, ids) => run('discard', Answer.discard, shard, [id, ...ids]),
  };
}

function eachShard<Each>(create: (shard: number) => Each): (shard: number) => Each {
  const known = new Map<number, Each>();
  return (shard) => {
    const each = known.get(shard) ?? create(shard);
    known.set(shard, each);
    return each;
  };
}

/** As `settle.lua` reads them. */
function toSettleArgs({ lease, reply, deadLetter }: Ending): string[] {
  const { tenant, id, token, invocation } = lease;
  const text = encodeReply(reply, invocation?.v ?? oldestVersion);
  const letter = deadLetter === undefined ? '' : JSON.stringify(deadLetter);
  return [tenant, id, token, text, isFinal(reply) ? '1' : '0', letter];
}

/** Whether a retry under the same idempotency key is to get this reply, rather than run. */
function isFinal(reply: Reply): boolean {
  if (reply.status === 'faulted') return reply.fault.retryAfterMs === undefined;
  return reply.status === 'completed';
}
