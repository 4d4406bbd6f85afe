import * as Q from '@aws-sdk/client-sqs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { refusal, startAws } from './support.ts';

let aws: Awaited<ReturnType<typeof startAws>>;
let client: Q.SQSClient;
beforeAll(async () => {
  aws = await startAws();
  client = aws.sqs;
});
afterAll(() => aws[Symbol.asyncDispose]());

const create = async (QueueName: string, Attributes: Record<string, string> = {}) =>
  (await client.send(new Q.CreateQueueCommand({ QueueName, Attributes }))).QueueUrl ?? '';
const send = (
  QueueUrl: string,
  MessageBody: string,
  more: Partial<Q.SendMessageCommandInput> = {},
) => client.send(new Q.SendMessageCommand({ QueueUrl, MessageBody, ...more }));
const receive = async (QueueUrl: string, more: Partial<Q.ReceiveMessageCommandInput> = {}) =>
  (await client.send(new Q.ReceiveMessageCommand({ QueueUrl, ...more }))).Messages ?? [];
const attributes = async (QueueUrl: string) =>
  (await client.send(new Q.GetQueueAttributesCommand({ QueueUrl, AttributeNames: ['All'] })))
    .Attributes ?? {};

describe('queues', () => {
  test('are found by name and describe themselves', async () => {
    const url = await create('plain', { VisibilityTimeout: '2' });
    const { QueueUrl } = await client.send(new Q.GetQueueUrlCommand({ QueueName: 'plain' }));
    expect(QueueUrl).toBe(url);
    expect(await attributes(url)).toMatchObject({
      QueueArn: 'arn:aws:sqs:us-west-2:000000000000:plain',
      VisibilityTimeout: '2',
      ApproximateNumberOfMessages: '0',
    });
    const { QueueUrls } = await client.send(new Q.ListQueuesCommand({ QueueNamePrefix: 'pla' }));
    expect(QueueUrls).toEqual([url]);
  });

  test('that do not exist are refused', async () => {
    await refusal(
      client.send(new Q.GetQueueUrlCommand({ QueueName: 'nothing' })),
      'QueueDoesNotExist',
    );
  });

  test('are created twice only alike', async () => {
    const url = await create('twice', { DelaySeconds: '0' });
    expect(await create('twice', { DelaySeconds: '0' })).toBe(url);
    await refusal(create('twice', { DelaySeconds: '1' }), 'QueueNameExists');
  });

  test('are changed, purged and deleted', async () => {
    const QueueUrl = await create('purged');
    const Policy = JSON.stringify({ Version: '2012-10-17', Statement: [] });
    await client.send(new Q.SetQueueAttributesCommand({ QueueUrl, Attributes: { Policy } }));
    await send(QueueUrl, 'x');
    await client.send(new Q.PurgeQueueCommand({ QueueUrl }));
    expect(await receive(QueueUrl)).toEqual([]);
    await client.send(new Q.DeleteQueueCommand({ QueueUrl }));
    await refusal(receive(QueueUrl), 'QueueDoesNotExist');
  });
});

describe('messages', () => {
  test('arrive with attributes, and digests that the SDK checks', async () => {
    const url = await create('digests');
    await send(url, 'hé 🐎', {
      MessageAttributes: {
        tenant: { DataType: 'String', StringValue: 'a' },
        n: { DataType: 'Number', StringValue: '1' },
        b: { DataType: 'Binary', BinaryValue: new Uint8Array([1, 2]) },
      },
    });
    const [message] = await receive(url, {
      MessageAttributeNames: ['All'],
      MessageSystemAttributeNames: ['All'],
    });
    expect(message?.Body).toBe('hé 🐎');
    expect(message?.MessageAttributes?.['tenant']?.StringValue).toBe('a');
    expect(message?.Attributes?.['ApproximateReceiveCount']).toBe('1');
    await client.send(
      new Q.DeleteMessageCommand({ QueueUrl: url, ReceiptHandle: message?.ReceiptHandle }),
    );
    expect((await attributes(url))['ApproximateNumberOfMessagesNotVisible']).toBe('0');
  });

  test('wake a long poll', async () => {
    const url = await create('wake');
    const waiting = receive(url, { WaitTimeSeconds: 10 });
    const sentAt = Date.now();
    await send(url, 'wake');
    expect((await waiting)[0]?.Body).toBe('wake');
    expect(Date.now() - sentAt).toBeLessThan(1_000);
  });

  test('keep an empty long poll waiting for its time', async () => {
    const url = await create('patience');
    const began = Date.now();
    expect(await receive(url, { WaitTimeSeconds: 1 })).toEqual([]);
    expect(Date.now() - began).toBeGreaterThanOrEqual(950);
  });

  test('are not swallowed by a poll that was aborted', async () => {
    const url = await create('aborted');
    const controller = new AbortController();
    const poll = client.send(new Q.ReceiveMessageCommand({ QueueUrl: url, WaitTimeSeconds: 10 }), {
      abortSignal: controller.signal,
    });
    await attributes(url);
    controller.abort();
    await refusal(poll, 'AbortError');
    await send(url, 'after');
    expect((await receive(url, { WaitTimeSeconds: 1 }))[0]?.Body).toBe('after');
  });

  test('are hidden while worked on, and come back when released', async () => {
    const QueueUrl = await create('visibility');
    await send(QueueUrl, 'v');
    const [first] = await receive(QueueUrl);
    expect(await receive(QueueUrl)).toEqual([]);
    await client.send(
      new Q.ChangeMessageVisibilityCommand({
        QueueUrl,
        ReceiptHandle: first?.ReceiptHandle,
        VisibilityTimeout: 0,
      }),
    );
    const [again] = await receive(QueueUrl, {
      MessageSystemAttributeNames: ['ApproximateReceiveCount'],
    });
    expect(again?.Attributes?.['ApproximateReceiveCount']).toBe('2');
  });

  test('come back by themselves once their time is over', async () => {
    const url = await create('timeout', { VisibilityTimeout: '1' });
    await send(url, 'again');
    await receive(url);
    expect((await receive(url, { WaitTimeSeconds: 5 }))[0]?.Body).toBe('again');
  });

  test('go in batches of ten', async () => {
    const QueueUrl = await create('batch');
    const entries = (count: number) =>
      Array.from({ length: count }, (_, index) => ({ Id: `i${index}`, MessageBody: `m${index}` }));
    const sent = await client.send(
      new Q.SendMessageBatchCommand({ QueueUrl, Entries: entries(10) }),
    );
    expect(sent.Successful).toHaveLength(10);
    const got = await receive(QueueUrl, { MaxNumberOfMessages: 10 });
    const Entries = got.map(({ ReceiptHandle }, index) => ({ Id: String(index), ReceiptHandle }));
    const deleted = await client.send(new Q.DeleteMessageBatchCommand({ QueueUrl, Entries }));
    expect(deleted.Successful).toHaveLength(10);
    await refusal(
      client.send(new Q.SendMessageBatchCommand({ QueueUrl, Entries: entries(11) })),
      'TooManyEntriesInBatchRequest',
    );
  });

  test('move to the dead letters after their last attempt', async () => {
    const dead = await create('dead');
    const deadLetterTargetArn = (await attributes(dead))['QueueArn'];
    const url = await create('poisoned', {
      VisibilityTimeout: '0',
      RedrivePolicy: JSON.stringify({ deadLetterTargetArn, maxReceiveCount: 2 }),
    });
    await send(url, 'poison');
    for (let attempt = 0; attempt < 3; attempt += 1) await receive(url);
    expect((await receive(dead, { WaitTimeSeconds: 2 }))[0]?.Body).toBe('poison');
  });

  test('of a group stay in order and are sent once', async () => {
    const url = await create('order.fifo', {
      FifoQueue: 'true',
      ContentBasedDeduplication: 'true',
    });
    for (const body of ['1', '1', '2', '3']) await send(url, body, { MessageGroupId: 'g' });
    const got = await receive(url, { MaxNumberOfMessages: 2 });
    expect(got.map(({ Body }) => Body)).toEqual(['1', '2']);
    expect(await receive(url)).toEqual([]);
  });

  test('wait for their delay', async () => {
    const url = await create('delayed');
    await send(url, 'late', { DelaySeconds: 1 });
    expect(await receive(url)).toEqual([]);
    expect((await receive(url, { WaitTimeSeconds: 5 }))[0]?.Body).toBe('late');
  });

  test('are at most a mebibyte', async () => {
    const url = await create('big');
    await refusal(send(url, 'x'.repeat(1_048_577)), 'InvalidParameterValue');
    await send(url, 'x'.repeat(1_048_566));
  });

  test('of odd characters are refused', async () => {
    await refusal(send(await create('odd'), 'a\u0001'), 'InvalidMessageContents');
  });
});

test('refuses operations it does not have, by name', async () => {
  const QueueUrl = await create('tags');
  const error = await refusal(
    client.send(new Q.TagQueueCommand({ QueueUrl, Tags: { a: 'b' } })),
    'UnknownOperationException',
  );
  expect(error.message).toContain('TagQueue');
});
