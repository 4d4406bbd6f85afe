/**
 * Secrets Manager calls this for each step of a rotation. The new key is made as a pending version and
 * then becomes the current one; the one so far stays as the previous, good for checking.
 * Any step may come twice. Nothing of a key is ever logged.
 */
import { randomBytes } from 'node:crypto';
import {
  DescribeSecretCommand,
  GetSecretValueCommand,
  PutSecretValueCommand,
  ResourceNotFoundException,
  SecretsManagerClient,
  UpdateSecretVersionStageCommand,
} from '@aws-sdk/client-secrets-manager';

/** What a signing key must be, as shared/identity/signing-secret.ts reads it. */
const keyBytes = 32;

/**
 * @typedef {{ readonly SecretId: string, readonly ClientRequestToken: string, readonly Step: string }} Rotation
 * @typedef {Pick<SecretsManagerClient, 'send'>} Client
 */

const client = new SecretsManagerClient({});

/** @param {Rotation} rotation */
export const handler = (rotation) => rotate(rotation, client);

/**
 * @param {Rotation} rotation
 * @param {Client} client
 */
export async function rotate(rotation, client) {
  switch (rotation.Step) {
    case 'createSecret':
      return createPending(rotation, client);
    // Nobody else has to be told of the new key.
    case 'setSecret':
      return;
    case 'testSecret':
      return testPending(rotation, client);
    case 'finishSecret':
      return makeCurrent(rotation, client);
    default:
      throw new Error(`Unknown step of a rotation: ${rotation.Step}`);
  }
}

/**
 * @param {Rotation} rotation
 * @param {Client} client
 */
async function createPending(rotation, client) {
  if ((await readPending(rotation, client)) !== undefined) return;
  const { SecretId, ClientRequestToken } = rotation;
  const SecretString = randomBytes(keyBytes).toString('base64url');
  const VersionStages = ['AWSPENDING'];
  await client.send(
    new PutSecretValueCommand({ SecretId, ClientRequestToken, SecretString, VersionStages }),
  );
}

/**
 * @param {Rotation} rotation
 * @param {Client} client
 */
async function testPending(rotation, client) {
  const text = await readPending(rotation, client);
  if (Buffer.from(text ?? '', 'base64url').length !== keyBytes) {
    throw new Error('The pending version holds no key of 32 bytes');
  }
}

/**
 * @param {Rotation} rotation
 * @param {Client} client
 */
async function makeCurrent({ SecretId, ClientRequestToken }, client) {
  const { VersionIdsToStages = {} } = await client.send(new DescribeSecretCommand({ SecretId }));
  const versions = Object.entries(VersionIdsToStages);
  const [current] = versions.find(([, stages]) => stages?.includes('AWSCURRENT')) ?? [];
  if (current === ClientRequestToken) return;
  await client.send(
    new UpdateSecretVersionStageCommand({
      SecretId,
      VersionStage: 'AWSCURRENT',
      MoveToVersionId: ClientRequestToken,
      RemoveFromVersionId: current,
    }),
  );
}

/**
 * Its text; undefined if there is none yet.
 * @param {Rotation} rotation
 * @param {Client} client
 */
async function readPending({ SecretId, ClientRequestToken }, client) {
  try {
    const { SecretString } = await client.send(
      new GetSecretValueCommand({ SecretId, VersionId: ClientRequestToken }),
    );
    return SecretString;
  } catch (error) {
    if (error instanceof ResourceNotFoundException) return undefined;
    throw error;
  }
}
