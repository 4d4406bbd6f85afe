/** Events: one EventBridge entry per call, marked with the tenant and the user it came from. */
import { PutEventsCommand, type EventBridgeClient } from '@aws-sdk/client-eventbridge';
import { Fault } from '../faults.ts';
import { mayHaveHappened } from './aws-fault.ts';
import type { CallContext } from './tenant-aws.ts';

export interface EventsPorts {
  readonly call: CallContext;
  readonly eventbridge: EventBridgeClient;
  readonly bus: string;
}

/** @throws {Fault} `outcome_unknown` if the answer was lost; else rejects with the SDK's own errors. */
export async function sendEvent(
  detailType: string,
  detail: Readonly<Record<string, unknown>>,
  ports: EventsPorts,
): Promise<void> {
  const { call, eventbridge, bus } = ports;
  const entry = {
    EventBusName: bus,
    Source: 'agent-mesh',
    DetailType: detailType,
    // Last, so that no caller can pass for another tenant or user.
    Detail: JSON.stringify({ ...detail, tenant_id: call.tenant, user_id: call.user }),
  };
  const answer = await eventbridge
    .send(new PutEventsCommand({ Entries: [entry] }), { abortSignal: call.signal })
    .catch((error: unknown) => {
      throw mayHaveHappened(error) ? unconfirmed(error) : error;
    });
  // PutEvents answers 200 even if it took nothing.
  if (answer.FailedEntryCount) throw refusal(answer.Entries?.[0]?.ErrorCode);
}

function unconfirmed(cause: unknown): Fault {
  const message =
    'The event bus did not confirm the event. It may have been published; sending it again may publish it twice.';
  return new Fault('outcome_unknown', message, { cause });
}

/** An entry's error code is an error's name, only reported elsewhere. */
function refusal(code: string | undefined): Error {
  return Object.assign(new Error('PutEvents refused the entry'), { name: code ?? 'Unknown' });
}
