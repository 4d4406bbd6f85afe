/** EventBridge: buses, rules with SQS targets, and events that go to the targets whose pattern they match. */
import { z } from 'zod';
import type { Account } from './account.ts';
import { accountId } from './account.ts';
import { AwsError, invalid } from './aws-error.ts';
import { TargetInput, targetInput } from './event-input.ts';
import { compileEventPattern, isObject } from './event-pattern.ts';
import type { Journal } from './journal.ts';
import { operation, type JsonService } from './operation.ts';

export interface EventBridgePorts {
  readonly journal: Journal;
  readonly account: Account;
  /** Puts a message into the queue of that ARN. @throws {AwsError} */
  readonly deliver: (
    queueArn: string,
    message: { readonly body: string; readonly groupId: string | undefined },
  ) => void;
}

const Target = z.strictObject({
  ...TargetInput.shape,
  Id: z.string().min(1).max(64),
  Arn: z.string().regex(/^arn:aws:sqs:/, 'the local AWS delivers to SQS queues only'),
  RoleArn: z.string().optional(),
  SqsParameters: z.strictObject({ MessageGroupId: z.string() }).optional(),
  DeadLetterConfig: z.strictObject({ Arn: z.string() }).optional(),
});

const Rule = z.object({
  Name: z.string().regex(/^[\w.-]{1,64}$/),
  EventBusName: z.string(),
  EventPattern: z.string(),
  State: z.enum(['ENABLED', 'DISABLED']),
  Description: z.string().optional(),
  targets: z.array(Target),
});
type Rule = z.output<typeof Rule>;

const Bus = z.object({ Name: z.string().regex(/^[\w./-]{1,256}$/) });

const Entry = z.strictObject({
  EventBusName: z.string().optional(),
  Source: z.string().optional(),
  DetailType: z.string().optional(),
  Detail: z.string().optional(),
  Resources: z.array(z.string()).optional(),
  /** Epoch seconds. */
  Time: z.number().optional(),
  TraceHeader: z.string().optional(),
});
type Entry = z.output<typeof Entry>;

const maxTargets = 5;
const maxEntriesBytes = 262_144;
const busOnly = z.strictObject({ EventBusName: z.string().optional() });
const byRule = z.strictObject({ ...busOnly.shape, Rule: z.string() });
const page = { Limit: z.number().optional(), NextToken: z.string().optional() };
const allDone = { FailedEntryCount: 0, FailedEntries: [] };

export function createEventBridge({ journal, account, deliver }: EventBridgePorts): JsonService {
  const buses = journal.collection('events/buses', (stored) => Bus.parse(stored));
  const rules = journal.collection('events/rules', (stored) => Rule.parse(stored));
  const patterns = new Map<string, (event: unknown) => boolean>();
  if (!buses.has('default')) buses.set('default', { Name: 'default' });

  return {
    target: 'AWSEvents',
    prefix: 'events',
    contentType: 'application/x-amz-json-1.1',
    errorNamespace: '',
    emptyBody: '{}',
    operations: {
      CreateEventBus: operation(z.strictObject({ ...Bus.shape, Tags: z.unknown().optional() }), {
        run({ Name }) {
          if (buses.has(Name)) {
            throw new AwsError(
              'ResourceAlreadyExistsException',
              `Event bus ${Name} already exists.`,
            );
          }
          buses.set(Name, { Name });
          return { EventBusArn: busArn(Name) };
        },
      }),
      DescribeEventBus: operation(z.strictObject({ Name: z.string().optional() }), {
        run({ Name }) {
          const name = existingBus(Name);
          return { Name: name, Arn: busArn(name) };
        },
      }),
      PutRule: operation(
        z.strictObject({
          ...busOnly.shape,
          Name: Rule.shape.Name,
          EventPattern: z.string(),
          State: Rule.shape.State.default('ENABLED'),
          Description: z.string().optional(),
        }),
        {
          run({ EventBusName, ...rule }) {
            const bus = existingBus(EventBusName);
            patternOf(rule.EventPattern);
            const id = ruleId(bus, rule.Name);
            const targets = rules.get(id)?.targets ?? [];
            rules.set(id, { ...rule, EventBusName: bus, targets });
            return { RuleArn: ruleArn(bus, rule.Name) };
          },
        },
      ),
      DeleteRule: operation(
        z.strictObject({ ...busOnly.shape, Name: z.string(), Force: z.boolean().optional() }),
        {
          run({ EventBusName, Name }) {
            const id = ruleId(existingBus(EventBusName), Name);
            if (rules.get(id)?.targets.length) {
              throw invalid("Rule can't be deleted since it has targets.");
            }
            rules.delete(id);
          },
        },
      ),
      ListRules: operation(
        z.strictObject({ ...busOnly.shape, ...page, NamePrefix: z.string().default('') }),
        {
          run({ EventBusName, NamePrefix }) {
            const bus = existingBus(EventBusName);
            const found = [...rules.values()].filter(
              (rule) => rule.EventBusName === bus && rule.Name.startsWith(NamePrefix),
            );
            return {
              Rules: found.map(({ targets, ...rule }) => ({
                ...rule,
                Arn: ruleArn(bus, rule.Name),
              })),
            };
          },
        },
      ),
      PutTargets: operation(
        z.strictObject({ ...byRule.shape, Targets: z.array(Target).min(1).max(10) }),
        {
          run({ EventBusName, Rule: name, Targets }) {
            const [id, rule] = existingRule(EventBusName, name);
            const kept = rule.targets.filter(
              ({ Id }) => !Targets.some((target) => target.Id === Id),
            );
            const targets = [...kept, ...Targets];
            if (targets.length > maxTargets) {
              throw new AwsError(
                'LimitExceededException',
                'The requested resource exceeds the maximum number allowed.',
              );
            }
            rules.set(id, { ...rule, targets });
            return allDone;
          },
        },
      ),
      RemoveTargets: operation(
        z.strictObject({
          ...byRule.shape,
          Ids: z.array(z.string()),
          Force: z.boolean().optional(),
        }),
        {
          run({ EventBusName, Rule: name, Ids }) {
            const [id, rule] = existingRule(EventBusName, name);
            const targets = rule.targets.filter(({ Id }) => !Ids.includes(Id));
            rules.set(id, { ...rule, targets });
            return allDone;
          },
        },
      ),
      ListTargetsByRule: operation(z.strictObject({ ...byRule.shape, ...page }), {
        run: ({ EventBusName, Rule: name }) => ({
          Targets: existingRule(EventBusName, name)[1].targets,
        }),
      }),
      PutEvents: operation(z.strictObject({ Entries: z.array(Entry).min(1).max(10) }), {
        needs: ({ Entries }, action) =>
          Entries.map((entry) => ({
            action,
            resource: busArn(busName(entry.EventBusName)),
            context: { 'events:source': entry.Source === undefined ? [] : [entry.Source] },
          })),
        run: ({ Entries }) => putEvents(Entries),
      }),
    },
  };

  function putEvents(entries: readonly Entry[]): object {
    const bytes = entries.reduce((sum, entry) => sum + entryBytes(entry), 0);
    if (bytes > maxEntriesBytes) {
      throw invalid('Total size of the entries in the request is over the limit.');
    }
    const results = journal.atomically(() => entries.map(putEvent));
    const failed = results.filter((result) => 'ErrorCode' in result);
    return { FailedEntryCount: failed.length, Entries: results };
  }

  function putEvent(
    entry: Entry,
  ): { EventId: string } | { ErrorCode: string; ErrorMessage: string } {
    const { Source, DetailType, Detail } = entry;
    if (!Source || !DetailType || Detail === undefined) {
      const missing = Source ? (DetailType ? 'Detail' : 'DetailType') : 'Source';
      return {
        ErrorCode: 'InvalidArgument',
        ErrorMessage: `Parameter ${missing} is not valid. Reason: ${missing} is a required argument.`,
      };
    }
    const detail = parseJson(Detail);
    if (!isObject(detail)) {
      return { ErrorCode: 'MalformedDetail', ErrorMessage: 'Detail is malformed.' };
    }
    const id = crypto.randomUUID();
    const at = entry.Time === undefined ? new Date() : new Date(entry.Time * 1_000);
    const event = {
      version: '0',
      id,
      'detail-type': DetailType,
      source: Source,
      account: accountId,
      time: at.toISOString().replace(/\.\d{3}Z$/, 'Z'),
      region: account.region,
      resources: entry.Resources ?? [],
      detail,
    };
    const bus = busName(entry.EventBusName);
    for (const rule of rules.values()) {
      const isAwake = rule.EventBusName === bus && rule.State === 'ENABLED';
      if (isAwake && patternOf(rule.EventPattern)(event)) deliverTo(rule, event);
    }
    return { EventId: id };
  }

  /** An event that a target does not take is lost to it, unless the target names a dead-letter queue. */
  function deliverTo(rule: Rule, event: unknown): void {
    for (const target of rule.targets) {
      const body = targetInput(target, event, rule.Name);
      const groupId = target.SqsParameters?.MessageGroupId;
      if (isTaken(target.Arn, { body, groupId }) || !target.DeadLetterConfig) continue;
      isTaken(target.DeadLetterConfig.Arn, { body, groupId: undefined });
    }
  }

  function isTaken(...message: Parameters<typeof deliver>): boolean {
    try {
      deliver(...message);
      return true;
    } catch (error) {
      if (error instanceof AwsError) return false;
      throw error;
    }
  }

  function patternOf(text: string): (event: unknown) => boolean {
    const known = patterns.get(text);
    if (known) return known;
    try {
      const compiled = compileEventPattern(JSON.parse(text));
      patterns.set(text, compiled);
      return compiled;
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause);
      throw new AwsError(
        'InvalidEventPatternException',
        `Event pattern is not valid. Reason: ${reason}`,
      );
    }
  }

  function existingBus(nameOrArn: string | undefined): string {
    const name = busName(nameOrArn);
    if (buses.has(name)) return name;
    throw new AwsError('ResourceNotFoundException', `Event bus ${name} does not exist.`);
  }

  function existingRule(bus: string | undefined, name: string): [id: string, Rule] {
    const id = ruleId(existingBus(bus), name);
    const rule = rules.get(id);
    if (rule) return [id, rule];
    throw new AwsError(
      'ResourceNotFoundException',
      `Rule ${name} does not exist on EventBus ${busName(bus)}.`,
    );
  }

  function busArn(name: string): string {
    return account.arn('events', `event-bus/${name}`);
  }

  function ruleArn(bus: string, name: string): string {
    return account.arn('events', `rule/${bus === 'default' ? name : ruleId(bus, name)}`);
  }
}

function busName(nameOrArn = 'default'): string {
  return nameOrArn.replace(/^arn:.*:event-bus\//, '');
}

function ruleId(bus: string, name: string): string {
  return `${bus}/${name}`;
}

/** Bytes as the service counts them. */
function entryBytes({
  Source = '',
  DetailType = '',
  Detail = '',
  Resources = [],
  Time,
}: Entry): number {
  const text = [Source, DetailType, Detail, ...Resources].join('');
  return Buffer.byteLength(text) + (Time === undefined ? 0 : 14);
}

function parseJson(text: string): unknown {
  try {
    const value: unknown = JSON.parse(text);
    return value;
  } catch {
    return undefined;
  }
}
