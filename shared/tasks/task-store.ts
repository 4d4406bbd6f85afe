/**
 * What is known of a task besides the invocation that works for it: whose it is, how it began, and
 * what its client has answered. Kept in Redis beside the queue, so that any ingress can answer for
 * it after any restart. The state is never stored: it is read off the invocation.
 */
import type { Redis } from 'ioredis';
import { z } from 'zod';
import { InvocationId, TenantId, UserId } from '../ids.ts';
import { announceChange } from '../queue/change-events.ts';
import { decodeReply, type Reply } from '../queue/invocation.ts';
import { readLuaScript } from '../queue/lua-script.ts';
import { queueKey, replyWaiters, storedReply, taskRecord } from '../queue/names.ts';
import { isNotice } from '../queue/replies.ts';
import type { Tenant } from '../tenants/tenant.ts';

const Facts = z.object({
  tenant: TenantId,
  user: UserId,
  tool: z.string(),
  arguments: z.record(z.string(), z.unknown()),
  /** As the client declared them. */
  capabilities: z.record(z.string(), z.unknown()),
  /** Epoch ms. */
  createdAt: z.number(),
  ttlMs: z.number(),
});

/** `id` names the task for good: it is the id of its first invocation. */
export interface Task extends z.output<typeof Facts> {
  readonly id: InvocationId;
  /** The invocation that works for it now. */
  readonly current: InvocationId;
  /** Epoch ms. */
  readonly updatedAt: number;
  readonly cancelled: boolean;
  /** Answers to what the current invocation asked. */
  readonly answers: Readonly<Record<string, unknown>>;
}

/** `lost`: Redis knows nothing of the invocation any more. */
export type Work = { readonly status: 'working' | 'lost' } | Reply;

export interface TaskStore {
  /** Resolves once any ingress finds it. */
  create(tenant: Tenant, id: InvocationId, facts: z.input<typeof Facts>): Promise<void>;
  /** Undefined unless it belongs to this tenant and user. */
  find(tenant: Tenant, user: UserId, id: string): Promise<Task | undefined>;
  work(tenant: Tenant, task: Task): Promise<Work>;
  /** Keeps the first answer to each question. Resolves with all of them. */
  answer(
    tenant: Tenant,
    task: Task,
    answers: Readonly<Record<string, unknown>>,
  ): Promise<Readonly<Record<string, unknown>>>;
  /** Its invocation's reply will be heard on this channel too. */
  attend(tenant: Tenant, task: Task, channel: string): Promise<void>;
  /** From now on this invocation works for it. Announced. */
  advance(tenant: Tenant, task: Task, next: InvocationId): Promise<void>;
  /** For a task that nothing works for. Announced. */
  markCancelled(tenant: Tenant, task: Task): Promise<void>;
}

const attendScript = readLuaScript(new URL('scripts/attend.lua', import.meta.url));

export function createTaskStore(redis: Redis): TaskStore {
  return {
    async create({ shard }, id, facts) {
      const key = taskRecord(shard, id);
      const { createdAt, ttlMs } = facts;
      const fields = { facts: JSON.stringify(facts), current: id, updatedAt: createdAt };
      await exec(redis.multi().hset(key, fields).pexpire(key, ttlMs));
    },

    async find({ id: tenant, shard }, user, text) {
      const id = InvocationId.safeParse(text).data;
      if (id === undefined) return undefined;
      const fields = await redis.hgetall(taskRecord(shard, id));
      if (fields['facts'] === undefined) return undefined;
      const facts = Facts.parse(JSON.parse(fields['facts']));
      if (facts.tenant !== tenant || facts.user !== user) return undefined;
      const current = InvocationId.parse(fields['current']);
      return {
        ...facts,
        id,
        current,
        updatedAt: Number(fields['updatedAt']),
        cancelled: fields['cancelled'] !== undefined,
        answers: answersIn(fields, current),
      };
    },

    async work({ id: tenant, shard }, { current }) {
      // Both at one instant: a settlement removes the one and stores the other.
      const [exists, stored] = await exec(
        redis
          .multi()
          .exists(queueKey(shard, tenant, current))
          .get(storedReply(shard, current)),
      );
      if (typeof stored === 'string') {
        const reply = decodeReply(stored.slice(stored.indexOf('\n') + 1));
        if (!isNotice(reply)) return reply;
      }
      return { status: exists === 1 ? 'working' : 'lost' };
    },

    async answer({ shard }, { id, current }, answers) {
      const key = taskRecord(shard, id);
      const write = redis.multi();
      for (const [name, answer] of Object.entries(answers)) {
        write.hsetnx(key, answerPrefix(current) + name, JSON.stringify(answer));
      }
      await exec(write);
      return answersIn(await redis.hgetall(key), current);
    },

    async advance({ id: tenant, shard }, { id, ttlMs }, next) {
      const key = taskRecord(shard, id);
      const fields = { current: next, updatedAt: Date.now() };
      await exec(redis.multi().hset(key, fields).pexpire(key, ttlMs));
      announceChange(redis, tenant, { kind: 'task', task: id });
    },

    async attend({ id: tenant, shard }, { current }, channel) {
      const keys = [queueKey(shard, tenant, current), replyWaiters(shard, current)];
      await attendScript.run(redis, keys, [channel]);
    },

    async markCancelled({ id: tenant, shard }, { id }) {
      await redis.hset(taskRecord(shard, id), { cancelled: 1, updatedAt: Date.now() });
      announceChange(redis, tenant, { kind: 'task', task: id });
    },
  };
}

const answerPrefix = (invocation: InvocationId): string => `answer ${invocation} `;

function answersIn(
  fields: Readonly<Record<string, string>>,
  current: InvocationId,
): Readonly<Record<string, unknown>> {
  const prefix = answerPrefix(current);
  return Object.fromEntries(
    Object.entries(fields).flatMap(([name, text]) =>
      name.startsWith(prefix) ? [[name.slice(prefix.length), JSON.parse(text)]] : [],
    ),
  );
}

/** @throws {Error} the first one among the answers. */
async function exec(multi: ReturnType<Redis['multi']>): Promise<readonly unknown[]> {
  const answers = (await multi.exec()) ?? [];
  return answers.map(([error, answer]) => {
    if (error) throw error;
    return answer;
  });
}
