/** The bus that tools publish to, and the queues: dead letters out, events in. */
import { Duration, RemovalPolicy } from 'aws-cdk-lib';
import { EventBus } from 'aws-cdk-lib/aws-events';
import { ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { Queue, QueueEncryption } from 'aws-cdk-lib/aws-sqs';
import { Construct } from 'constructs';
import type { Names } from './names.ts';

/** As long as Redis keeps a dead letter. It is also the longest that SQS keeps anything. */
const retentionPeriod = Duration.days(14);
const maxReceiveCount = 5;

export class Messaging extends Construct {
  readonly bus: EventBus;
  readonly deadLetters: Queue;
  readonly eventsIn: Queue;

  constructor(scope: Construct, names: Names) {
    super(scope, 'Messaging');
    this.bus = new EventBus(this, 'Bus', { eventBusName: names.eventBus });
    this.bus.applyRemovalPolicy(RemovalPolicy.RETAIN);
    this.deadLetters = this.addQueue('DeadLetters', 'agent-mesh-dead-letters');
    this.eventsIn = this.addQueue('EventsIn', 'agent-mesh-events-in');
    // Rules of this account alone; which ones, its owner decides.
    const { account } = this.bus.stack;
    this.eventsIn.grantSendMessages(
      new ServicePrincipal('events.amazonaws.com', {
        conditions: { StringEquals: { 'aws:SourceAccount': account } },
      }),
    );
  }

  /** With a queue of its own for what nobody managed to read. */
  private addQueue(id: string, queueName: string): Queue {
    const common = { retentionPeriod, encryption: QueueEncryption.SQS_MANAGED, enforceSSL: true };
    const unread = new Queue(this, `${id}Unread`, { ...common, queueName: `${queueName}-unread` });
    return new Queue(this, id, {
      ...common,
      queueName,
      visibilityTimeout: Duration.minutes(1),
      deadLetterQueue: { queue: unread, maxReceiveCount },
    });
  }
}
