/**
 * Credentials for outside services: secrets at `mcp-credentials/<tenant>/<user>/<service>/<connection>`.
 * Which there are is kept in the bookkeeping partition: Secrets Manager lists a whole account or nothing.
 *
 * That list also says which call wrote last, so that a re-run never brings an older secret back.
 */
import {
  ConditionalCheckFailedException,
  QueryCommand,
  UpdateItemCommand,
  type DynamoDBClient,
  type QueryCommandOutput,
} from '@aws-sdk/client-dynamodb';
import {
  CreateSecretCommand,
  DeleteSecretCommand,
  GetSecretValueCommand,
  PutSecretValueCommand,
  ResourceExistsException,
  ResourceNotFoundException,
  type SecretsManagerClient,
} from '@aws-sdk/client-secrets-manager';
import { createHash } from 'node:crypto';
import type { CallContext, CredentialName, Credentials } from './tenant-aws.ts';

export interface CredentialsPorts {
  readonly call: CallContext;
  readonly dynamodb: DynamoDBClient;
  readonly table: string;
  readonly secrets: SecretsManagerClient;
}

/** For so long a deletion is remembered: longer than any call may be under way. */
const keepNumberMs = 2 * 3_600_000;

/** Rejects with the SDK's own errors, as all of this file. */
export async function readCredential(
  name: CredentialName,
  ports: CredentialsPorts,
): Promise<string | undefined> {
  const { call, secrets } = ports;
  const command = new GetSecretValueCommand({ SecretId: secretPath(name, call) });
  const found = await unlessUnknown(() => secrets.send(command, { abortSignal: call.signal }));
  return found?.SecretString;
}

export async function putCredential(
  name: CredentialName,
  secret: string,
  ports: CredentialsPorts,
): Promise<void> {
  const { call, secrets } = ports;
  if ((await mark(name, 'stored', ports)) === 'superseded') return;
  const value = { SecretString: secret, ClientRequestToken: requestToken(name, call) };
  const path = secretPath(name, call);
  const abortSignal = call.signal;
  try {
    await secrets.send(new CreateSecretCommand({ Name: path, ...value }), { abortSignal });
  } catch (error) {
    if (!(error instanceof ResourceExistsException)) throw error;
    await secrets.send(new PutSecretValueCommand({ SecretId: path, ...value }), { abortSignal });
  }
}

/** Resolves with whether there was one. */
export async function deleteCredential(
  name: CredentialName,
  ports: CredentialsPorts,
): Promise<boolean> {
  const { call, secrets } = ports;
  const before = await mark(name, 'deleted', ports);
  if (before === 'superseded') return false;
  const command = new DeleteSecretCommand({
    SecretId: secretPath(name, call),
    ForceDeleteWithoutRecovery: true,
  });
  await unlessUnknown(() => secrets.send(command, { abortSignal: call.signal }));
  return before === 'stored';
}

/** Those of the call's user, by name. */
export async function listCredentials(ports: CredentialsPorts): ReturnType<Credentials['list']> {
  const { call, dynamodb, table } = ports;
  const found: Awaited<ReturnType<Credentials['list']>>[number][] = [];
  const prefix = `cred#${call.user}/`;
  let from: QueryCommandOutput['LastEvaluatedKey'];
  do {
    const page: QueryCommandOutput = await dynamodb.send(
      new QueryCommand({
        TableName: table,
        KeyConditionExpression: 'tenant = :meta AND begins_with(sk, :prefix)',
        FilterExpression: '#state = :stored',
        ExpressionAttributeNames: { '#state': 'state' },
        ExpressionAttributeValues: {
          ':meta': { S: `${call.tenant}#meta` },
          ':prefix': { S: prefix },
          ':stored': { S: 'stored' },
        },
        ConsistentRead: true,
        ExclusiveStartKey: from,
      }),
      { abortSignal: call.signal },
    );
    for (const { sk, updated_at: updatedAt } of page.Items ?? []) {
      const [service = '', connection = ''] = (sk?.S ?? '').slice(prefix.length).split('/');
      found.push({ service, connection, updatedAt: Number(updatedAt?.N) });
    }
    from = page.LastEvaluatedKey;
  } while (from !== undefined);
  return found;
}

/** Notes what this call does, and resolves with how it was before, or that a later call has been here. */
async function mark(
  { service, connection }: CredentialName,
  state: 'stored' | 'deleted',
  { call, dynamodb, table }: CredentialsPorts,
): Promise<'stored' | 'deleted' | 'superseded'> {
  const command = new UpdateItemCommand({
    TableName: table,
    Key: {
      tenant: { S: `${call.tenant}#meta` },
      sk: { S: `cred#${call.user}/${service}/${connection}` },
    },
    // A re-run finds what its first attempt noted, and the state before that.
    UpdateExpression: `SET before_state = if_not_exists(#state, :none), #state = :state, seq = :mine, updated_at = :now${state === 'deleted' ? ', expires_at = :sweep' : ' REMOVE expires_at'}`,
    ConditionExpression: 'attribute_not_exists(seq) OR seq < :mine',
    ExpressionAttributeNames: { '#state': 'state' },
    ExpressionAttributeValues: {
      ':none': { S: 'deleted' },
      ':state': { S: state },
      ':mine': { N: String(call.sequence) },
      ':now': { N: String(Date.now()) },
      ...(state === 'deleted'
        ? { ':sweep': { N: String(Math.ceil((Date.now() + keepNumberMs) / 1_000)) } }
        : {}),
    },
    ReturnValues: 'ALL_OLD',
    ReturnValuesOnConditionCheckFailure: 'ALL_OLD',
  });
  const stateIn = (text: string | undefined) => (text === 'stored' ? 'stored' : 'deleted');
  try {
    const { Attributes: old } = await dynamodb.send(command, { abortSignal: call.signal });
    return stateIn(old?.['state']?.S);
  } catch (error) {
    if (!(error instanceof ConditionalCheckFailedException)) throw error;
    if (Number(error.Item?.['seq']?.N) > call.sequence) return 'superseded';
    return stateIn(error.Item?.['before_state']?.S);
  }
}

function secretPath(
  { service, connection }: CredentialName,
  { tenant, user }: CallContext,
): string {
  return `mcp-credentials/${tenant}/${user}/${service}/${connection}`;
}

/** The same for every attempt, so that a secret that was sent twice becomes one version. */
function requestToken({ service, connection }: CredentialName, call: CallContext): string {
  const parts = JSON.stringify([call.tenant, call.user, service, connection, call.sequence]);
  return createHash('sha256').update(parts).digest('hex');
}

async function unlessUnknown<T>(request: () => Promise<T>): Promise<T | undefined> {
  try {
    return await request();
  } catch (error) {
    if (error instanceof ResourceNotFoundException) return undefined;
    throw error;
  }
}
