/** Sending, receiving and settling messages: visibility, delay, retention, groups and redrive. */
import { createHash } from 'node:crypto';
import { z } from 'zod';
import {
  attributesBytes,
  attributesDigest,
  bodyDigest,
  type MessageAttributes,
} from './digests.ts';
import { queueError, type Message, type Queue, type Queues } from './queues.ts';

interface Outgoing {
  readonly body: string;
  readonly attributes?: MessageAttributes | undefined;
  readonly delaySeconds?: number | undefined;
  readonly groupId?: string | undefined;
  readonly deduplicationId?: string | undefined;
}

export interface Messages {
  /** @throws {AwsError} for a message that the queue does not take. */
  send(queue: Queue, message: Outgoing): object;
  /** Up to `max` visible messages, which become invisible for `visibilitySeconds`. */
  receive(queue: Queue, max: number, visibilitySeconds: number): readonly Message[];
  /** Makes messages visible again that were received but could not be handed over. */
  putBack(queue: Queue, messages: readonly Message[]): void;
  delete(queue: Queue, receiptHandle: string): void;
  changeVisibility(queue: Queue, receiptHandle: string, seconds: number): void;
}

// XML's characters, which are all that a message may hold.
const allowedBody = /^[\t\n\r\u0020-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]*$/u;
const deduplicationMs = 300_000;
const RedrivePolicy = z.object({
  deadLetterTargetArn: z.string(),
  maxReceiveCount: z.coerce.number().int().min(1),
});

/** `arrived` is told of every queue that has new work. */
export function createMessages(queues: Queues, arrived: (queueName: string) => void): Messages {
  // Later than any number given before a restart.
  let sequence = Date.now() * 1_000;
  const recentByQueue = new Map<string, Map<string, Message>>();

  return { send, receive, putBack, delete: remove, changeVisibility };

  function send(queue: Queue, outgoing: Outgoing): object {
    checkBody(queue, outgoing);
    const deduplicationId = queue.isFifo ? deduplicationIdOf(queue, outgoing) : undefined;
    const twin = deduplicationId === undefined ? undefined : recent(queue, deduplicationId);
    const message = twin ?? add(queue, outgoing, deduplicationId);
    return {
      MessageId: message.id,
      MD5OfMessageBody: bodyDigest(outgoing.body),
      MD5OfMessageAttributes: attributesDigest(outgoing.attributes),
      ...(queue.isFifo ? { SequenceNumber: message.sequence } : {}),
    };
  }

  function add(queue: Queue, outgoing: Outgoing, deduplicationId: string | undefined): Message {
    sequence += 1;
    const now = Date.now();
    const delaySeconds = outgoing.delaySeconds ?? queue.setting('DelaySeconds');
    const message: Message = {
      id: crypto.randomUUID(),
      sequence: String(sequence).padStart(20, '0'),
      body: outgoing.body,
      attributes: outgoing.attributes,
      groupId: outgoing.groupId,
      deduplicationId,
      sentAt: now,
      visibleAt: now + delaySeconds * 1_000,
      receiveCount: 0,
    };
    queue.messages.set(message.sequence, message);
    if (deduplicationId !== undefined) recentOf(queue).set(deduplicationId, message);
    arrived(queue.name);
    return message;
  }

  function recentOf({ name }: Queue): Map<string, Message> {
    const known = recentByQueue.get(name) ?? new Map<string, Message>();
    recentByQueue.set(name, known);
    return known;
  }

  /** A message of the last five minutes with the same deduplication id. */
  function recent(queue: Queue, deduplicationId: string): Message | undefined {
    const sent = recentOf(queue);
    for (const [id, { sentAt }] of sent) {
      if (sentAt > Date.now() - deduplicationMs) break;
      sent.delete(id);
    }
    return sent.get(deduplicationId);
  }

  function receive(queue: Queue, max: number, visibilitySeconds: number): readonly Message[] {
    const now = Date.now();
    const oldest = now - queue.setting('MessageRetentionPeriod') * 1_000;
    const redrive = redriveOf(queue);
    const held = new Set<string | undefined>();
    const received: Message[] = [];
    for (const message of queue.messages.values()) {
      if (received.length >= max) break;
      if (message.sentAt < oldest) {
        queue.messages.delete(message.sequence);
        continue;
      }
      if (message.visibleAt > now || (queue.isFifo && held.has(message.groupId))) {
        // The rest of the group waits for what is being worked on.
        held.add(message.groupId);
        continue;
      }
      if (redrive && message.receiveCount >= redrive.maxReceiveCount) {
        moveToDeadLetters(queue, message, redrive.deadLetterTargetArn);
        continue;
      }
      const taken: Message = {
        ...message,
        visibleAt: now + visibilitySeconds * 1_000,
        firstReceivedAt: message.firstReceivedAt ?? now,
        receiveCount: message.receiveCount + 1,
        receipt: crypto.randomUUID(),
      };
      queue.messages.set(taken.sequence, taken);
      received.push(taken);
    }
    return received;
  }

  function moveToDeadLetters(queue: Queue, message: Message, arn: string): void {
    const target = queues.find(arn);
    if (!target) return;
    queue.messages.delete(message.sequence);
    target.messages.set(message.sequence, { ...message, receiveCount: 0, visibleAt: Date.now() });
    arrived(target.name);
  }

  function putBack(queue: Queue, messages: readonly Message[]): void {
    for (const message of messages) {
      if (queue.messages.get(message.sequence)?.receipt !== message.receipt) continue;
      const receiveCount = message.receiveCount - 1;
      queue.messages.set(message.sequence, { ...message, visibleAt: Date.now(), receiveCount });
    }
    arrived(queue.name);
  }

  function remove(queue: Queue, receiptHandle: string): void {
    const message = received(queue, receiptHandle);
    if (!message) return;
    queue.messages.delete(message.sequence);
    arrived(queue.name);
  }

  function changeVisibility(queue: Queue, receiptHandle: string, seconds: number): void {
    const message = received(queue, receiptHandle);
    if (!message || message.visibleAt <= Date.now()) {
      throw queueError('MessageNotInflight', 'The specified message is not in flight.');
    }
    const visibleAt = Date.now() + seconds * 1_000;
    queue.messages.set(message.sequence, { ...message, visibleAt });
    arrived(queue.name);
  }

  /** The message, if the handle is of its last receipt. */
  function received(queue: Queue, receiptHandle: string): Message | undefined {
    const [key = '', receipt] = Buffer.from(receiptHandle, 'base64').toString().split(':');
    if (!receipt) {
      throw queueError('ReceiptHandleIsInvalid', 'The input receipt handle is invalid.');
    }
    const message = queue.messages.get(key);
    return message?.receipt === receipt ? message : undefined;
  }
}

export function receiptHandle({ sequence, receipt }: Message): string {
  return Buffer.from(`${sequence}:${receipt}`).toString('base64');
}

function checkBody(queue: Queue, { body, attributes }: Outgoing): void {
  const maxBytes = queue.setting('MaximumMessageSize');
  if (body === '') {
    throw queueError('MissingParameter', 'The request must contain the parameter MessageBody.');
  }
  if (Buffer.byteLength(body) + attributesBytes(attributes) > maxBytes) {
    throw queueError(
      'InvalidParameterValue',
      `One or more parameters are invalid. Reason: Message must be shorter than ${maxBytes} bytes.`,
    );
  }
  if (!allowedBody.test(body)) {
    throw queueError('InvalidMessageContents', 'Invalid characters found.');
  }
}

function deduplicationIdOf(queue: Queue, { groupId, deduplicationId, body }: Outgoing): string {
  if (groupId === undefined) {
    throw queueError('MissingParameter', 'The request must contain the parameter MessageGroupId.');
  }
  if (deduplicationId !== undefined) return deduplicationId;
  if (queue.attributes.ContentBasedDeduplication === 'true') {
    return createHash('sha256').update(body).digest('hex');
  }
  throw queueError(
    'InvalidParameterValue',
    'The queue should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided explicitly',
  );
}

function redriveOf(queue: Queue): z.output<typeof RedrivePolicy> | undefined {
  const { RedrivePolicy: text } = queue.attributes;
  return text === undefined ? undefined : RedrivePolicy.parse(JSON.parse(text));
}

/** @throws {AwsError} for a redrive policy that no message could follow. */
export function checkRedrivePolicy(text: string | undefined): void {
  if (text === undefined) return;
  try {
    RedrivePolicy.parse(JSON.parse(text));
  } catch {
    throw queueError(
      'InvalidParameterValue',
      `Value ${text} for parameter RedrivePolicy is invalid.`,
    );
  }
}
