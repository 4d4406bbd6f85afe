/** ReceiveMessage: takes messages, waits for them if asked to, and shows what the caller wants of them. */
import { setImmediate } from 'node:timers/promises';
import { z } from 'zod';
import type { Journal } from '../journal.ts';
import { attributesDigest, bodyDigest } from './digests.ts';
import { receiptHandle, type Messages } from './messages.ts';
import type { Message, Queues } from './queues.ts';
import type { Waiting } from './waiting.ts';

export const seconds = z.number().int().min(0).max(43_200);

export const Receive = z.strictObject({
  QueueUrl: z.string(),
  MaxNumberOfMessages: z.number().int().min(1).max(10).default(1),
  WaitTimeSeconds: z.number().int().min(0).max(20).optional(),
  VisibilityTimeout: seconds.optional(),
  AttributeNames: z.array(z.string()).optional(),
  MessageSystemAttributeNames: z.array(z.string()).optional(),
  MessageAttributeNames: z.array(z.string()).default([]),
});
type Receive = z.output<typeof Receive>;

export function receiver(ports: {
  readonly journal: Journal;
  readonly queues: Queues;
  readonly messages: Messages;
  readonly waiting: Waiting;
}): (input: Receive, signal: AbortSignal) => Promise<object> {
  const { journal, queues, messages, waiting } = ports;
  return receive;

  async function receive(input: Receive, signal: AbortSignal): Promise<object> {
    const queue = queues.get(input.QueueUrl);
    const visibility = input.VisibilityTimeout ?? queue.setting('VisibilityTimeout');
    const wait = input.WaitTimeSeconds ?? queue.setting('ReceiveMessageWaitTimeSeconds');
    const take = () =>
      journal.atomically(() => messages.receive(queue, input.MaxNumberOfMessages, visibility));
    let received = take();
    if (received.length === 0 && wait > 0) {
      received = await waiting.wait(queue.name, take, wait, signal);
      // A client that has gone in the same moment is only seen to have gone now.
      await setImmediate();
    }
    if (signal.aborted) messages.putBack(queue, received);
    return received.length > 0
      ? { Messages: received.map((message) => shown(message, input)) }
      : {};
  }
}

function shown(message: Message, input: Receive): object {
  const system = input.MessageSystemAttributeNames ?? input.AttributeNames ?? [];
  const known = Object.entries({
    SenderId: 'local',
    SentTimestamp: String(message.sentAt),
    ApproximateReceiveCount: String(message.receiveCount),
    ApproximateFirstReceiveTimestamp: String(message.firstReceivedAt ?? message.sentAt),
    MessageGroupId: message.groupId,
    MessageDeduplicationId: message.deduplicationId,
    SequenceNumber: message.groupId === undefined ? undefined : message.sequence,
  });
  const attributes = known.filter(
    ([name, value]) => value !== undefined && (system.includes('All') || system.includes(name)),
  );
  const own = Object.entries(message.attributes ?? {}).filter(([name]) =>
    input.MessageAttributeNames.some((wanted) => selects(wanted, name)),
  );
  const ownAttributes = Object.fromEntries(own);
  return {
    MessageId: message.id,
    ReceiptHandle: receiptHandle(message),
    Body: message.body,
    MD5OfBody: bodyDigest(message.body),
    ...(attributes.length > 0 ? { Attributes: Object.fromEntries(attributes) } : {}),
    ...(own.length > 0
      ? {
          MessageAttributes: ownAttributes,
          MD5OfMessageAttributes: attributesDigest(ownAttributes),
        }
      : {}),
  };
}

function selects(wanted: string, name: string): boolean {
  if (wanted === 'All' || wanted === '.*' || wanted === name) return true;
  return wanted.endsWith('.*') && name.startsWith(wanted.slice(0, -2));
}
