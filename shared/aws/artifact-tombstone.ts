/** Remembers a deletion for as long as an older put may run again, so that it does not undo it. */
import {
  ConditionalCheckFailedException,
  GetItemCommand,
  PutItemCommand,
} from '@aws-sdk/client-dynamodb';
import type { ArtifactsPorts } from './artifact-keys.ts';
import type { ArtifactAccountingPorts } from './artifact-accounting.ts';

const keepMs = 2 * 3_600_000;

export async function writeTombstone(
  key: string,
  ports: ArtifactsPorts & ArtifactAccountingPorts,
): Promise<void> {
  const { call, usage } = ports;
  const sequence = { N: String(call.sequence) };
  const put = new PutItemCommand({
    TableName: usage.table,
    Item: {
      ...tombstoneKey(key, ports),
      seq: sequence,
      expires_at: { N: String(Math.ceil((Date.now() + keepMs) / 1_000)) },
    },
    ConditionExpression: 'attribute_not_exists(seq) OR seq < :mine',
    ExpressionAttributeValues: { ':mine': sequence },
  });
  try {
    await usage.dynamodb.send(put, { abortSignal: call.signal });
  } catch (error) {
    // A later deletion is remembered already, which covers this one.
    if (!(error instanceof ConditionalCheckFailedException)) throw error;
  }
}

/** Whether a call after this one has deleted the key. */
export async function isDeletedSince(
  key: string,
  ports: ArtifactsPorts & ArtifactAccountingPorts,
): Promise<boolean> {
  const { call, usage } = ports;
  const { Item: item } = await usage.dynamodb.send(
    new GetItemCommand({
      TableName: usage.table,
      Key: tombstoneKey(key, ports),
      ConsistentRead: true,
    }),
    { abortSignal: call.signal },
  );
  return Number(item?.['seq']?.N ?? 0) > call.sequence;
}

function tombstoneKey(key: string, { call }: ArtifactsPorts) {
  return { tenant: { S: `${call.tenant}#meta` }, sk: { S: `gone#${key}` } };
}
