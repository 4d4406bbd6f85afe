/**
 * Copies of new dead letters for an SQS queue, as JSON, redacted as for operators. A copy is sent
 * until SQS has taken it, so that it may arrive twice; one that this process still holds when it
 * dies is in Redis alone.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { SendMessageCommand, type SQSClient } from '@aws-sdk/client-sqs';
import type { Obituary } from '../queue/invocation-queue.ts';
import type { Lease } from '../queue/lease.ts';
import type { Log } from '../telemetry/log.ts';
import { describe, type DeadLetter, type SensitiveOf } from './dead-letter.ts';

export interface DeadLetterMirror {
  /** Returns at once. */
  send(lease: Lease, obituary: Obituary): void;
  /** Resolves once all is sent, or has failed once more. */
  close(): Promise<void>;
}

export interface MirrorPorts {
  readonly sqs: Pick<SQSClient, 'send'>;
  readonly queueUrl: string;
  readonly sensitiveOf: SensitiveOf;
  readonly log: Log;
}

/** So many may wait for SQS; later ones are in Redis alone. */
const mostWaiting = 1_000;
const pauseMs = 2_000;

export function createDeadLetterMirror(ports: MirrorPorts): DeadLetterMirror {
  const { sqs, queueUrl, sensitiveOf, log } = ports;
  const waiting = new Set<Promise<void>>();
  const closing = new AbortController();

  const deliver = async (letter: DeadLetter): Promise<void> => {
    const command = new SendMessageCommand({
      QueueUrl: queueUrl,
      MessageBody: JSON.stringify(letter),
    });
    for (;;) {
      try {
        await sqs.send(command);
        return;
      } catch (error) {
        log.warn({ err: error, id: letter.id }, 'A dead letter was not mirrored');
        if (closing.signal.aborted) return;
        await sleep(pauseMs, undefined, { signal: closing.signal }).catch(() => undefined);
      }
    }
  };

  return {
    send({ id, tenant, attempt, invocation }, obituary) {
      if (waiting.size >= mostWaiting) {
        log.warn({ id }, 'Too many dead letters wait for SQS; this one is in Redis alone');
        return;
      }
      const sending = deliver({
        id,
        tenant,
        failedAt: Date.now(),
        ...obituary,
        attempts: attempt,
        ...(invocation ? describe(invocation, sensitiveOf) : {}),
      });
      waiting.add(sending);
      void sending.finally(() => waiting.delete(sending));
    },
    async close() {
      closing.abort();
      await Promise.all(waiting);
    },
  };
}
