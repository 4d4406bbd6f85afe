/** Everything that `events_send` publishes goes to a queue, which is counted. */
import * as E from '@aws-sdk/client-eventbridge';
import * as Q from '@aws-sdk/client-sqs';
import type { AwsAccess } from '../../deploy/local/aws-access.ts';

/** How often each event arrived so far, by the number that its sender gave it. */
export type CountEvents = () => Promise<ReadonlyMap<string, number>>;

export async function routeEvents(aws: AwsAccess, EventBusName: string): Promise<CountEvents> {
  const sqs = new Q.SQSClient(aws);
  const events = new E.EventBridgeClient(aws);
  const { QueueUrl } = await sqs.send(new Q.CreateQueueCommand({ QueueName: 'counted' }));
  const Name = 'counted';
  const EventPattern = JSON.stringify({ source: ['agent-mesh'] });
  await events.send(new E.PutRuleCommand({ Name, EventBusName, EventPattern }));
  const Arn = `arn:aws:sqs:${aws.region}:000000000000:counted`;
  await events.send(
    new E.PutTargetsCommand({ Rule: Name, EventBusName, Targets: [{ Id: '1', Arn }] }),
  );
  const counts = new Map<string, number>();
  return async () => {
    for (;;) {
      const { Messages = [] } = await sqs.send(
        new Q.ReceiveMessageCommand({ QueueUrl, MaxNumberOfMessages: 10 }),
      );
      if (Messages.length === 0) return counts;
      for (const { Body } of Messages) {
        const { n } = JSON.parse(Body ?? '').detail as { n: string };
        counts.set(n, (counts.get(n) ?? 0) + 1);
      }
      const Entries = Messages.map(({ ReceiptHandle }, i) => ({ Id: `${i}`, ReceiptHandle }));
      await sqs.send(new Q.DeleteMessageBatchCommand({ QueueUrl, Entries }));
    }
  };
}
