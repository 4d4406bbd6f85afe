/** PutEvents: each entry becomes an event and goes to the targets of every rule that it matches. */
import { z } from 'zod';
import { accountId, type Account } from '../account.ts';
import { AwsError, invalid } from '../aws-error.ts';
import type { Journal } from '../journal.ts';
import { targetInput } from './event-input.ts';
import { isObject } from './event-pattern.ts';
import { busName, type Rule, type Rules } from './rules.ts';

/** Puts a message into the queue of that ARN. @throws {AwsError} */
export type Deliver = (
  queueArn: string,
  message: { readonly body: string; readonly groupId: string | undefined },
) => void;

export const Entry = z.strictObject({
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

const maxEntriesBytes = 262_144;

export function publisher(ports: {
  readonly journal: Journal;
  readonly account: Account;
  readonly rules: Rules;
  readonly deliver: Deliver;
}): (entries: readonly Entry[]) => object {
  const { journal, account, deliver } = ports;
  const { rules, patternOf } = ports.rules;
  return putEvents;

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
