/** SQS: the operations by name. */
import { z } from 'zod';
import type { Account } from '../account.ts';
import { AwsError } from '../aws-error.ts';
import type { Journal } from '../journal.ts';
import { operation, type JsonService } from '../operation.ts';
import { MessageAttributes } from './digests.ts';
import { checkRedrivePolicy, createMessages } from './messages.ts';
import { createQueues, defaults, QueueAttributes, queueError, type Queue } from './queues.ts';
import { Receive, receiver, seconds } from './receive.ts';
import { createWaiting } from './waiting.ts';

export interface Sqs {
  readonly service: JsonService;
  /** Puts a message into the queue of that ARN. @throws {AwsError} */
  readonly deliver: (
    queueArn: string,
    message: { readonly body: string; readonly groupId: string | undefined },
  ) => void;
  close(): void;
}

const maxBatchBytes = 1_048_576;
const onQueue = { QueueUrl: z.string() };
const outgoing = {
  MessageBody: z.string(),
  MessageAttributes: MessageAttributes.optional(),
  DelaySeconds: z.number().int().min(0).max(900).optional(),
  MessageGroupId: z.string().optional(),
  MessageDeduplicationId: z.string().optional(),
};
const Entries = <Shape extends z.core.$ZodLooseShape>(shape: Shape) =>
  z.strictObject({ ...onQueue, Entries: z.array(z.strictObject({ Id: z.string(), ...shape })) });
export function createSqs(ports: {
  readonly journal: Journal;
  readonly account: Account;
  readonly url: () => string;
}): Sqs {
  const queues = createQueues(ports);
  const waiting = createWaiting();
  const messages = createMessages(queues, waiting.wake);
  const receive = receiver({ journal: ports.journal, queues, messages, waiting });

  const service: JsonService = {
    target: 'AmazonSQS',
    prefix: 'sqs',
    contentType: 'application/x-amz-json-1.0',
    errorNamespace: 'com.amazonaws.sqs#',
    emptyBody: '',
    operations: {
      CreateQueue: operation(
        z.strictObject({
          QueueName: z.string().regex(/^(?:[\w-]{1,80}|[\w-]{1,75}\.fifo)$/),
          Attributes: QueueAttributes.default({}),
          tags: z.unknown().optional(),
        }),
        { run: ({ QueueName, Attributes }) => ({ QueueUrl: createQueue(QueueName, Attributes) }) },
      ),
      GetQueueUrl: operation(z.strictObject({ QueueName: z.string() }), {
        run: ({ QueueName }) => ({ QueueUrl: queues.url(queues.get(QueueName)) }),
      }),
      ListQueues: operation(
        z.strictObject({
          QueueNamePrefix: z.string().default(''),
          MaxResults: z.number().optional(),
          NextToken: z.string().optional(),
        }),
        {
          run: ({ QueueNamePrefix }) => ({
            QueueUrls: queues
              .names()
              .filter((name) => name.startsWith(QueueNamePrefix))
              .map((name) => queues.url(queues.get(name))),
          }),
        },
      ),
      GetQueueAttributes: operation(
        z.strictObject({ ...onQueue, AttributeNames: z.array(z.string()).default([]) }),
        {
          run({ QueueUrl, AttributeNames }) {
            const all = Object.entries(describe(queues.get(QueueUrl)));
            const wanted = AttributeNames.includes('All') ? undefined : AttributeNames;
            return {
              Attributes: Object.fromEntries(
                all.filter(([name]) => wanted?.includes(name) ?? true),
              ),
            };
          },
        },
      ),
      SetQueueAttributes: operation(z.strictObject({ ...onQueue, Attributes: QueueAttributes }), {
        run({ QueueUrl, Attributes }) {
          checkRedrivePolicy(Attributes.RedrivePolicy);
          const { name, attributes } = queues.get(QueueUrl);
          queues.save(name, { ...attributes, ...Attributes });
        },
      }),
      DeleteQueue: operation(z.strictObject(onQueue), {
        run: ({ QueueUrl }) => queues.delete(queues.get(QueueUrl)),
      }),
      PurgeQueue: operation(z.strictObject(onQueue), {
        run: ({ QueueUrl }) => queues.get(QueueUrl).messages.clear(),
      }),
      SendMessage: operation(z.strictObject({ ...onQueue, ...outgoing }), {
        run: ({ QueueUrl, ...message }) => messages.send(queues.get(QueueUrl), toOutgoing(message)),
      }),
      SendMessageBatch: operation(Entries(outgoing), {
        run({ QueueUrl, Entries: entries }) {
          const queue = queues.get(QueueUrl);
          const bytes = entries.reduce(
            (sum, entry) => sum + Buffer.byteLength(entry.MessageBody),
            0,
          );
          if (bytes > maxBatchBytes) {
            throw queueError(
              'BatchRequestTooLong',
              `Batch requests cannot be longer than ${maxBatchBytes} bytes.`,
            );
          }
          return forEach(entries, (entry) => messages.send(queue, toOutgoing(entry)));
        },
      }),
      ReceiveMessage: operation(Receive, { run: (input, { signal }) => receive(input, signal) }),
      DeleteMessage: operation(z.strictObject({ ...onQueue, ReceiptHandle: z.string() }), {
        run: ({ QueueUrl, ReceiptHandle }) => messages.delete(queues.get(QueueUrl), ReceiptHandle),
      }),
      DeleteMessageBatch: operation(Entries({ ReceiptHandle: z.string() }), {
        run({ QueueUrl, Entries: entries }) {
          const queue = queues.get(QueueUrl);
          return forEach(entries, ({ ReceiptHandle }) => messages.delete(queue, ReceiptHandle));
        },
      }),
      ChangeMessageVisibility: operation(
        z.strictObject({ ...onQueue, ReceiptHandle: z.string(), VisibilityTimeout: seconds }),
        {
          run: ({ QueueUrl, ReceiptHandle, VisibilityTimeout }) =>
            messages.changeVisibility(queues.get(QueueUrl), ReceiptHandle, VisibilityTimeout),
        },
      ),
    },
  };
  return {
    service,
    deliver: (queueArn, message) => void messages.send(queues.get(queueArn), message),
    close: () => waiting.close(),
  };

  function createQueue(name: string, attributes: QueueAttributes): string {
    const known = queues.find(name);
    const own = new Map(Object.entries(known?.attributes ?? attributes));
    for (const [attribute, value] of Object.entries(attributes)) {
      if (own.get(attribute) === value) continue;
      throw queueError(
        'QueueNameExists',
        `A queue already exists with the same name and a different value for attribute ${attribute}`,
      );
    }
    if (name.endsWith('.fifo') !== (attributes.FifoQueue === 'true')) {
      throw queueError('InvalidParameterValue', 'The name of a FIFO queue can only end with .fifo');
    }
    checkRedrivePolicy(attributes.RedrivePolicy);
    return queues.url(known ?? queues.save(name, attributes));
  }

  function describe(queue: Queue): Record<string, string> {
    const now = Date.now();
    const hidden = [...queue.messages.values()].filter(({ visibleAt }) => visibleAt > now);
    const delayed = hidden.filter(({ receiveCount }) => receiveCount === 0).length;
    const standard = Object.entries(defaults).map(([name, value]) => [name, String(value)]);
    return {
      ...Object.fromEntries(standard),
      ...queue.attributes,
      QueueArn: queues.arn(queue),
      CreatedTimestamp: String(queue.createdAt),
      ApproximateNumberOfMessages: String(queue.messages.size - hidden.length),
      ApproximateNumberOfMessagesNotVisible: String(hidden.length - delayed),
      ApproximateNumberOfMessagesDelayed: String(delayed),
    };
  }
}

type OutgoingMembers = z.output<z.ZodObject<typeof outgoing>>;

function toOutgoing(members: OutgoingMembers) {
  return {
    body: members.MessageBody,
    attributes: members.MessageAttributes,
    delaySeconds: members.DelaySeconds,
    groupId: members.MessageGroupId,
    deduplicationId: members.MessageDeduplicationId,
  };
}

/** Each entry fails for itself. */
function forEach<Entry extends { readonly Id: string }>(
  entries: readonly Entry[],
  run: (entry: Entry) => object | void,
): object {
  if (entries.length === 0) {
    throw queueError('EmptyBatchRequest', 'There should be at least one entry in the request.');
  }
  if (entries.length > 10) {
    throw queueError(
      'TooManyEntriesInBatchRequest',
      `Maximum number of entries per request are 10. You have sent ${entries.length}.`,
    );
  }
  if (new Set(entries.map(({ Id }) => Id)).size < entries.length) {
    throw queueError('BatchEntryIdsNotDistinct', 'Two or more batch entries have the same Id.');
  }
  const Successful: object[] = [];
  const Failed: object[] = [];
  for (const entry of entries) {
    try {
      Successful.push({ Id: entry.Id, ...run(entry) });
    } catch (error) {
      if (!(error instanceof AwsError)) throw error;
      Failed.push({ Id: entry.Id, Code: error.code, Message: error.message, SenderFault: true });
    }
  }
  return { Successful, Failed };
}
