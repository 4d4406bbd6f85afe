/**
 * The mark that a call of a once-tool has begun, in DynamoDB. Redis keeps one too, but a Redis that
 * lost its last second, or everything, would let the call begin again.
 */
import { PutItemCommand, type DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { isConditionFailed, toFault } from './aws-fault.ts';
import { withinLease } from './lease-guard.ts';
import type { CallContext } from './tenant-aws.ts';

export interface OnceMark {
  /** The call, and which of its replays this is. */
  readonly name: string;
  /** Whoever begins it: unique per attempt. */
  readonly by: string;
}

/** Longer than any retry under an idempotency key may find the reply of the first. */
const keepSeconds = 3 * 86_400;

/**
 * Resolves with whether the mark is ours. It is put once, whatever the number of its retries.
 * @throws {Fault} if DynamoDB fails: then nothing may begin, and nothing has.
 */
export async function markOnce(
  { name, by }: OnceMark,
  call: CallContext,
  { dynamodb, table }: { readonly dynamodb: DynamoDBClient; readonly table: string },
): Promise<boolean> {
  const put = new PutItemCommand({
    TableName: table,
    Item: {
      tenant: { S: `${call.tenant}#meta` },
      sk: { S: `once#${name}` },
      by: { S: by },
      expires_at: { N: String(Math.floor(Date.now() / 1_000) + keepSeconds) },
    },
    ConditionExpression: 'attribute_not_exists(sk) OR #by = :by',
    ExpressionAttributeNames: { '#by': 'by' },
    ExpressionAttributeValues: { ':by': { S: by } },
  });
  try {
    await withinLease(call, () => dynamodb.send(put, { abortSignal: call.signal }));
    return true;
  } catch (thrown) {
    if (isConditionFailed(thrown)) return false;
    throw toFault(thrown, 'key-value store');
  }
}
