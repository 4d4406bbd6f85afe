/**
 * Copies of dead letters for an SQS queue, as JSON, redacted as for operators. Redis remembers which
 * have none yet, so that nothing is missed when a process dies. A copy may arrive twice.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { SendMessageCommand, type SQSClient } from '@aws-sdk/client-sqs';
import type { Redis } from 'ioredis';
import { z } from 'zod';
import { InvocationId, TenantId } from '../ids.ts';
import { indexPrefix, unsentLetters } from '../queue/names.ts';
import { runScript } from '../queue/scripts/run-script.ts';
import type { Log } from '../telemetry/log.ts';
import type { DeadLetterStore } from './dead-letter-store.ts';

export interface DeadLetterMirror {
  /** Resolves once all is sent, or has failed once more. */
  close(): Promise<void>;
}

export interface MirrorPorts {
  readonly redis: Redis;
  readonly letters: Pick<DeadLetterStore, 'read'>;
  readonly sqs: Pick<SQSClient, 'send'>;
  readonly log: Log;
}

const Entries = z.array(z.string());
const batch = 50;

/**
 * @param options.everyMs how often to look; default 1,000
 * @param options.againMs after which a copy that failed is tried again, by any worker; default 15,000
 */
export function mirrorDeadLetters(
  options: {
    readonly queueUrl: string;
    readonly shards: number;
    readonly everyMs?: number;
    readonly againMs?: number;
  },
  { redis, letters, sqs, log }: MirrorPorts,
): DeadLetterMirror {
  const { queueUrl, shards, everyMs = 1_000, againMs = 15_000 } = options;
  const closing = new AbortController();

  const send = async (shard: number, entry: string): Promise<void> => {
    const [tenant, id] = entry.split('/');
    const owner = { id: TenantId.parse(tenant), shard };
    const letter = await letters.read(owner, InvocationId.parse(id));
    if (letter) {
      const MessageBody = JSON.stringify(letter);
      await sqs.send(new SendMessageCommand({ QueueUrl: queueUrl, MessageBody }));
    }
    await redis.zrem(unsentLetters(shard), entry);
  };

  const sendShard = async (shard: number): Promise<void> => {
    const given = await runScript(redis, 'unsent', indexPrefix(shard), [batch, againMs]);
    const entries = Entries.parse(given);
    const outcomes = await Promise.allSettled(entries.map((entry) => send(shard, entry)));
    for (const outcome of outcomes) {
      if (outcome.status === 'rejected')
        log.warn({ err: outcome.reason }, 'A dead letter was not mirrored yet');
    }
    if (entries.length === batch) await sendShard(shard);
  };

  const sendAll = async (): Promise<void> => {
    if (redis.status !== 'ready') return;
    for (let shard = 0; shard < shards; shard += 1) await sendShard(shard);
  };

  const sendForEver = async (): Promise<void> => {
    // Once more after the end was asked for: what was settled last is sent as well.
    while (!closing.signal.aborted) {
      await sleep(everyMs, undefined, { signal: closing.signal }).catch(() => undefined);
      await sendAll().catch((error: unknown) =>
        log.warn({ err: error }, 'Dead letters were not mirrored'),
      );
    }
  };
  const done = sendForEver();

  return {
    async close() {
      closing.abort();
      await done;
    },
  };
}
