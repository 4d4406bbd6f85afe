/** EventBridge: the operations by name. */
import { z } from 'zod';
import type { Account } from '../account.ts';
import { AwsError, invalid } from '../aws-error.ts';
import type { Journal } from '../journal.ts';
import { operation, type JsonService } from '../operation.ts';
import { Entry, publisher, type Deliver } from './publish.ts';
import { Bus, busName, createRules, Rule, ruleId, Target } from './rules.ts';

const maxTargets = 5;
const busOnly = z.strictObject({ EventBusName: z.string().optional() });
const byRule = z.strictObject({ ...busOnly.shape, Rule: z.string() });
const page = { Limit: z.number().optional(), NextToken: z.string().optional() };
const allDone = { FailedEntryCount: 0, FailedEntries: [] };

export function createEventBridge(ports: {
  readonly journal: Journal;
  readonly account: Account;
  readonly deliver: Deliver;
}): JsonService {
  const store = createRules(ports.journal, ports.account);
  const { buses, rules } = store;
  const putEvents = publisher({ ...ports, rules: store });

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
          return { EventBusArn: store.busArn(Name) };
        },
      }),
      DescribeEventBus: operation(z.strictObject({ Name: z.string().optional() }), {
        run({ Name }) {
          const name = store.existingBus(Name);
          return { Name: name, Arn: store.busArn(name) };
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
            const bus = store.existingBus(EventBusName);
            store.patternOf(rule.EventPattern);
            const id = ruleId(bus, rule.Name);
            const targets = rules.get(id)?.targets ?? [];
            rules.set(id, { ...rule, EventBusName: bus, targets });
            return { RuleArn: store.ruleArn(bus, rule.Name) };
          },
        },
      ),
      DeleteRule: operation(
        z.strictObject({ ...busOnly.shape, Name: z.string(), Force: z.boolean().optional() }),
        {
          run({ EventBusName, Name }) {
            const id = ruleId(store.existingBus(EventBusName), Name);
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
            const bus = store.existingBus(EventBusName);
            const found = [...rules.values()].filter(
              (rule) => rule.EventBusName === bus && rule.Name.startsWith(NamePrefix),
            );
            return { Rules: found.map((rule) => shown(rule, store.ruleArn(bus, rule.Name))) };
          },
        },
      ),
      PutTargets: operation(
        z.strictObject({ ...byRule.shape, Targets: z.array(Target).min(1).max(10) }),
        {
          run({ EventBusName, Rule: name, Targets }) {
            const [id, rule] = store.existingRule(EventBusName, name);
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
            const [id, rule] = store.existingRule(EventBusName, name);
            const targets = rule.targets.filter(({ Id }) => !Ids.includes(Id));
            rules.set(id, { ...rule, targets });
            return allDone;
          },
        },
      ),
      ListTargetsByRule: operation(z.strictObject({ ...byRule.shape, ...page }), {
        run: ({ EventBusName, Rule: name }) => ({
          Targets: store.existingRule(EventBusName, name)[1].targets,
        }),
      }),
      PutEvents: operation(z.strictObject({ Entries: z.array(Entry).min(1).max(10) }), {
        needs: ({ Entries }, action) =>
          Entries.map((entry) => ({
            action,
            resource: store.busArn(busName(entry.EventBusName)),
            context: { 'events:source': entry.Source === undefined ? [] : [entry.Source] },
          })),
        run: ({ Entries }) => putEvents(Entries),
      }),
    },
  };
}

function shown(
  { Name, EventBusName, EventPattern, State, Description }: Rule,
  Arn: string,
): object {
  return { Name, Arn, EventBusName, EventPattern, State, Description };
}
