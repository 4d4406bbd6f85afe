import * as E from '@aws-sdk/client-eventbridge';
import * as Q from '@aws-sdk/client-sqs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { refusal, startAws } from './support.ts';

const EventBusName = 'mesh';
let aws: Awaited<ReturnType<typeof startAws>>;
let client: E.EventBridgeClient;
beforeAll(async () => {
  aws = await startAws();
  client = aws.eventbridge;
  await client.send(new E.CreateEventBusCommand({ Name: EventBusName }));
});
afterAll(() => aws[Symbol.asyncDispose]());

const event = (
  DetailType: string,
  detail: object,
  more: Partial<E.PutEventsRequestEntry> = {},
) => ({
  EventBusName,
  Source: 'agent-mesh',
  DetailType,
  Detail: JSON.stringify(detail),
  ...more,
});
const put = (...Entries: E.PutEventsRequestEntry[]) =>
  client.send(new E.PutEventsCommand({ Entries }));
const rule = (Name: string, pattern: object) =>
  client.send(new E.PutRuleCommand({ Name, EventBusName, EventPattern: JSON.stringify(pattern) }));

/** A queue that receives what matches the pattern. */
async function route(Name: string, pattern: object, target: Partial<E.Target> = {}, fifo = false) {
  const QueueName = fifo ? `${Name}.fifo` : Name;
  const Attributes = fifo ? { FifoQueue: 'true', ContentBasedDeduplication: 'true' } : {};
  const { QueueUrl } = await aws.sqs.send(new Q.CreateQueueCommand({ QueueName, Attributes }));
  await rule(Name, pattern);
  const Arn = `arn:aws:sqs:us-west-2:000000000000:${QueueName}`;
  const { FailedEntryCount } = await client.send(
    new E.PutTargetsCommand({ Rule: Name, EventBusName, Targets: [{ Id: '1', Arn, ...target }] }),
  );
  expect(FailedEntryCount).toBe(0);
  // Delivery is complete before PutEvents answers, so nothing has to be waited for.
  return async () => {
    const { Messages = [] } = await aws.sqs.send(
      new Q.ReceiveMessageCommand({ QueueUrl, MaxNumberOfMessages: 10 }),
    );
    return Messages.map(({ Body }) => JSON.parse(Body ?? '') as Record<string, unknown>);
  };
}

describe('events', () => {
  test('arrive whole at the queues of matching rules', async () => {
    const received = await route('whole', {
      source: [{ prefix: 'agent-' }],
      'detail-type': ['task.updated'],
      detail: { tenantId: ['t1'] },
    });
    const { Entries, FailedEntryCount } = await put(
      event(
        'task.updated',
        { tenantId: 't1', x: 1 },
        {
          Time: new Date('2026-01-02T03:04:05Z'),
          Resources: ['arn:x'],
          TraceHeader: 'Root=1-5759e988-bd862e3fe1be46a994272793',
        },
      ),
      event('task.updated', { tenantId: 't2' }),
    );
    expect(FailedEntryCount).toBe(0);
    expect(await received()).toEqual([
      {
        version: '0',
        id: Entries?.[0]?.EventId,
        'detail-type': 'task.updated',
        source: 'agent-mesh',
        account: '000000000000',
        time: '2026-01-02T03:04:05Z',
        region: 'us-west-2',
        resources: ['arn:x'],
        detail: { tenantId: 't1', x: 1 },
      },
    ]);
  });

  test.each([
    ['prefix', { detail: { a: [{ prefix: 'x' }] } }, { a: 'xy' }, { a: 'yx' }],
    ['suffix', { detail: { a: [{ suffix: '.png' }] } }, { a: 'i.png' }, { a: 'i.jpg' }],
    ['anything-but', { detail: { a: [{ 'anything-but': ['x'] }] } }, { a: 'y' }, { a: 'x' }],
    [
      'anything-but-prefix',
      { detail: { a: [{ 'anything-but': { prefix: 'x' } }] } },
      { a: 'y' },
      { a: 'xx' },
    ],
    ['numeric', { detail: { n: [{ numeric: ['>', 0, '<=', 5] }] } }, { n: 5 }, { n: 6 }],
    [
      'exists',
      { detail: { a: [{ exists: false }], b: [{ exists: true }] } },
      { b: 1 },
      { a: 1, b: 1 },
    ],
    [
      'ignore-case',
      { detail: { a: [{ 'equals-ignore-case': 'AbC' }] } },
      { a: 'aBc' },
      { a: 'abd' },
    ],
    ['wildcard', { detail: { a: [{ wildcard: 't/*/x.y' }] } }, { a: 't/1/x.y' }, { a: 't/1/xzy' }],
    ['cidr', { detail: { ip: [{ cidr: '10.0.0.0/24' }] } }, { ip: '10.0.0.9' }, { ip: '10.0.1.9' }],
    ['or', { detail: { $or: [{ a: ['1'] }, { b: ['2'] }] } }, { b: '2' }, { b: '3' }],
    ['any-of', { detail: { a: ['p', null] } }, { a: ['q', 'p'] }, { a: ['q'] }],
  ])('are matched by %s', async (name, pattern, yes, no) => {
    const received = await route(`p-${name}`, { 'detail-type': [name], ...pattern });
    await put(event(name, no), event(name, yes));
    expect((await received()).map(({ detail }) => detail)).toEqual([yes]);
  });

  test('are cut and shaped for a target', async () => {
    const part = await route('part', { 'detail-type': ['shape'] }, { InputPath: '$.detail' });
    const shaped = await route(
      'shaped',
      { 'detail-type': ['shape'] },
      {
        InputTransformer: {
          InputPathsMap: { t: '$.detail.tenantId' },
          InputTemplate: '{"tenant": <t>, "said": "by <t>"}',
        },
      },
    );
    await put(event('shape', { tenantId: 't"1' }));
    expect(await part()).toEqual([{ tenantId: 't"1' }]);
    expect(await shaped()).toEqual([{ tenant: 't"1', said: 'by t"1' }]);
  });

  test('go to a FIFO queue in a group', async () => {
    const target = { SqsParameters: { MessageGroupId: 'g' } };
    const received = await route('grouped', { 'detail-type': ['fifo'] }, target, true);
    await put(event('fifo', { a: 1 }));
    expect(await received()).toHaveLength(1);
  });

  test('fail one by one', async () => {
    const { FailedEntryCount, Entries } = await put(
      { ...event('bad', {}), Detail: '{not json' },
      event('ok', {}),
      { ...event('none', {}), Source: '' },
    );
    expect(FailedEntryCount).toBe(2);
    expect(Entries?.map(({ ErrorCode }) => ErrorCode)).toEqual([
      'MalformedDetail',
      undefined,
      'InvalidArgument',
    ]);
  });

  test('are at most ten, and 256 KB together', async () => {
    await refusal(put(...Array.from({ length: 11 }, () => event('x', {}))), 'ValidationException');
    await refusal(put(event('big', { d: 'x'.repeat(262_144) })), 'ValidationException');
    expect((await put(event('big', { d: 'x'.repeat(262_000) }))).FailedEntryCount).toBe(0);
  });
});

describe('rules', () => {
  test('refuse patterns that are none', async () => {
    for (const pattern of [{ source: 'text' }, { source: [] }, {}, { a: [{ unknown: 1 }] }]) {
      await refusal(rule('bad', pattern), 'InvalidEventPatternException');
    }
  });

  test('are listed with their targets, and deleted once they have none', async () => {
    await route('gone', { 'detail-type': ['gone'] });
    const { Rules } = await client.send(
      new E.ListRulesCommand({ EventBusName, NamePrefix: 'gone' }),
    );
    expect(Rules?.map(({ Name, State }) => [Name, State])).toEqual([['gone', 'ENABLED']]);
    const { Targets } = await client.send(
      new E.ListTargetsByRuleCommand({ Rule: 'gone', EventBusName }),
    );
    expect(Targets).toHaveLength(1);
    const remove = () => client.send(new E.DeleteRuleCommand({ Name: 'gone', EventBusName }));
    await refusal(remove(), 'ValidationException');
    await client.send(new E.RemoveTargetsCommand({ Rule: 'gone', EventBusName, Ids: ['1'] }));
    await remove();
  });
});

test('describes its bus', async () => {
  const { Arn } = await client.send(new E.DescribeEventBusCommand({ Name: EventBusName }));
  expect(Arn).toBe('arn:aws:events:us-west-2:000000000000:event-bus/mesh');
  await refusal(
    client.send(new E.DescribeEventBusCommand({ Name: 'nothing' })),
    'ResourceNotFoundException',
  );
});

test('refuses operations it does not have, by name', async () => {
  const error = await refusal(
    client.send(new E.ListArchivesCommand({})),
    'UnknownOperationException',
  );
  expect(error.message).toContain('ListArchives');
});
