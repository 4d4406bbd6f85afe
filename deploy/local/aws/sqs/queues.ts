/** Queues and their attributes, and the errors that name them. */
import { z } from 'zod';
import type { Account } from '../account.ts';
import { accountId } from '../account.ts';
import { AwsError } from '../aws-error.ts';
import type { Collection, Journal } from '../journal.ts';
import { MessageAttributes } from './digests.ts';

const attributeNames = [
  'DelaySeconds',
  'MaximumMessageSize',
  'MessageRetentionPeriod',
  'ReceiveMessageWaitTimeSeconds',
  'VisibilityTimeout',
  'RedrivePolicy',
  'Policy',
  'FifoQueue',
  'ContentBasedDeduplication',
] as const;

/** Attributes the local AWS does not know are refused by name. */
export const QueueAttributes = z.partialRecord(z.enum(attributeNames), z.string());
export type QueueAttributes = z.output<typeof QueueAttributes>;

const StoredQueue = z.object({
  name: z.string(),
  attributes: QueueAttributes,
  /** Epoch seconds. */
  createdAt: z.number(),
});
type StoredQueue = z.output<typeof StoredQueue>;

const Message = z.object({
  id: z.string(),
  /** Order of arrival, and the message's key; 20 digits. */
  sequence: z.string(),
  body: z.string(),
  attributes: MessageAttributes.optional(),
  groupId: z.string().optional(),
  deduplicationId: z.string().optional(),
  /** Epoch milliseconds, as all times here. */
  sentAt: z.number(),
  visibleAt: z.number(),
  firstReceivedAt: z.number().optional(),
  receiveCount: z.number(),
  /** Of the last receipt: an older one cannot delete the message. */
  receipt: z.string().optional(),
});
export type Message = z.output<typeof Message>;

export interface Queue {
  readonly name: string;
  readonly attributes: QueueAttributes;
  readonly createdAt: number;
  readonly isFifo: boolean;
  readonly messages: Collection<Message>;
  /** An attribute as a number, or the service's default. */
  setting(name: keyof typeof defaults): number;
}

export const defaults = {
  DelaySeconds: 0,
  MaximumMessageSize: 1_048_576,
  MessageRetentionPeriod: 345_600,
  ReceiveMessageWaitTimeSeconds: 0,
  VisibilityTimeout: 30,
} as const;

export interface Queues {
  /** By URL, ARN or name. @throws {AwsError} QueueDoesNotExist */
  get(reference: string): Queue;
  find(reference: string): Queue | undefined;
  names(): readonly string[];
  save(name: string, attributes: QueueAttributes): Queue;
  delete(queue: Queue): void;
  arn(queue: Queue): string;
  url(queue: Queue): string;
}

export function createQueues(ports: {
  readonly journal: Journal;
  readonly account: Account;
  readonly url: () => string;
}): Queues {
  const stored = ports.journal.collection('sqs/queues', (value) => StoredQueue.parse(value));
  const queues = new Map<string, Queue>();
  for (const queue of stored.values())
    queues.set(queue.name, toQueue(queue, messagesOf(queue.name)));

  const find = (reference: string) => queues.get(/[^/:]*$/.exec(reference)?.[0] ?? '');
  return {
    find,
    get(reference) {
      const queue = find(reference);
      if (queue) return queue;
      throw queueError('QueueDoesNotExist', 'The specified queue does not exist.');
    },
    names: () => [...queues.keys()],
    save(name, attributes) {
      const known = queues.get(name);
      const createdAt = known?.createdAt ?? Math.floor(Date.now() / 1_000);
      const record = { name, attributes, createdAt };
      stored.set(name, record);
      const queue = toQueue(record, known?.messages ?? messagesOf(name));
      queues.set(name, queue);
      return queue;
    },
    delete(queue) {
      queue.messages.clear();
      stored.delete(queue.name);
      queues.delete(queue.name);
    },
    arn: ({ name }) => ports.account.arn('sqs', name),
    url: ({ name }) => `${ports.url()}/${accountId}/${name}`,
  };

  function messagesOf(name: string): Collection<Message> {
    return ports.journal.collection(`sqs/messages/${name}`, (value) => Message.parse(value));
  }
}

function toQueue(stored: StoredQueue, messages: Collection<Message>): Queue {
  return {
    ...stored,
    messages,
    isFifo: stored.attributes.FifoQueue === 'true',
    setting(name) {
      const text = stored.attributes[name];
      return text === undefined ? defaults[name] : Number(text);
    },
  };
}

/** Names that SQS errors bore in its older protocol, which clients still read from a header. */
const queryErrors: Readonly<Record<string, string>> = {
  QueueDoesNotExist: 'AWS.SimpleQueueService.NonExistentQueue',
  QueueNameExists: 'QueueAlreadyExists',
  BatchRequestTooLong: 'AWS.SimpleQueueService.BatchRequestTooLong',
  TooManyEntriesInBatchRequest: 'AWS.SimpleQueueService.TooManyEntriesInBatchRequest',
  EmptyBatchRequest: 'AWS.SimpleQueueService.EmptyBatchRequest',
  BatchEntryIdsNotDistinct: 'AWS.SimpleQueueService.BatchEntryIdsNotDistinct',
  MessageNotInflight: 'AWS.SimpleQueueService.MessageNotInflight',
};

export function queueError(code: string, message: string): AwsError {
  return new AwsError(code, message, 400, { queryError: queryErrors[code] ?? code });
}
