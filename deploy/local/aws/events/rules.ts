/** Buses and rules as they are stored, found by name or refused as missing, and their compiled patterns. */
import { z } from 'zod';
import type { Account } from '../account.ts';
import { AwsError } from '../aws-error.ts';
import type { Collection, Journal } from '../journal.ts';
import { TargetInput } from './event-input.ts';
import { compileEventPattern } from './event-pattern.ts';

export const Target = z.strictObject({
  ...TargetInput.shape,
  Id: z.string().min(1).max(64),
  Arn: z.string().regex(/^arn:aws:sqs:/, 'the local AWS delivers to SQS queues only'),
  RoleArn: z.string().optional(),
  SqsParameters: z.strictObject({ MessageGroupId: z.string() }).optional(),
  DeadLetterConfig: z.strictObject({ Arn: z.string() }).optional(),
});

export const Rule = z.object({
  Name: z.string().regex(/^[\w.-]{1,64}$/),
  EventBusName: z.string(),
  EventPattern: z.string(),
  State: z.enum(['ENABLED', 'DISABLED']),
  Description: z.string().optional(),
  targets: z.array(Target),
});
export type Rule = z.output<typeof Rule>;

export const Bus = z.object({ Name: z.string().regex(/^[\w./-]{1,256}$/) });

export interface Rules {
  readonly buses: Collection<z.output<typeof Bus>>;
  readonly rules: Collection<Rule>;
  /** Whether an event matches. @throws {AwsError} InvalidEventPatternException */
  readonly patternOf: (text: string) => (event: unknown) => boolean;
  /** The name of the bus. @throws {AwsError} ResourceNotFoundException */
  existingBus(nameOrArn: string | undefined): string;
  /** @throws {AwsError} ResourceNotFoundException */
  existingRule(bus: string | undefined, name: string): [id: string, rule: Rule];
  busArn(name: string): string;
  ruleArn(bus: string, name: string): string;
}

export function createRules(journal: Journal, account: Account): Rules {
  const buses = journal.collection('events/buses', (stored) => Bus.parse(stored));
  const rules = journal.collection('events/rules', (stored) => Rule.parse(stored));
  const patterns = new Map<string, (event: unknown) => boolean>();
  if (!buses.has('default')) buses.set('default', { Name: 'default' });

  return { buses, rules, patternOf, existingBus, existingRule, busArn, ruleArn };

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

export function busName(nameOrArn = 'default'): string {
  return nameOrArn.replace(/^arn:.*:event-bus\//, '');
}

export function ruleId(bus: string, name: string): string {
  return `${bus}/${name}`;
}
