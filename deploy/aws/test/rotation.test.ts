import { randomUUID } from 'node:crypto';
import {
  CreateSecretCommand,
  GetSecretValueCommand,
  SecretsManagerClient,
} from '@aws-sdk/client-secrets-manager';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readSigningKeys } from '../../../shared/identity/signing-secret.ts';
import { startTestAws, type TestAws } from '../../../test/support/local-aws.ts';
import { rotate } from '../stack/rotation/rotate-signing-key.mjs';

let aws: TestAws;
let client: SecretsManagerClient;
beforeAll(async () => {
  aws = await startTestAws();
  client = new SecretsManagerClient(aws.access);
});
afterAll(async () => {
  client.destroy();
  await aws[Symbol.asyncDispose]();
});

/** A secret as the stack has CloudFormation make it. */
async function aSecret() {
  const SecretId = `agent-mesh/signing-${randomUUID()}`;
  const SecretString = 'aB3'.repeat(15).slice(0, 43);
  await client.send(new CreateSecretCommand({ Name: SecretId, SecretString }));
  return { SecretId, keys: () => readSigningKeys({ client, name: SecretId }) };
}

const steps = ['createSecret', 'setSecret', 'testSecret', 'finishSecret'];

async function rotateOnce(SecretId: string, times = 1): Promise<void> {
  const ClientRequestToken = randomUUID();
  for (const Step of steps) {
    for (let i = 0; i < times; i += 1) await rotate({ SecretId, ClientRequestToken, Step }, client);
  }
}

describe('the rotation of the signing key', () => {
  test('makes a new key current and leaves the one before for checking', async () => {
    const { SecretId, keys } = await aSecret();
    const [first, ...none] = await keys();
    expect(none).toEqual([]);

    await rotateOnce(SecretId);
    const [second, ...before] = await keys();
    expect(before).toEqual([first]);
    expect(second?.key).toHaveLength(32);
    expect(second?.id).not.toBe(first?.id);

    await rotateOnce(SecretId);
    expect((await keys()).slice(1)).toEqual([second]);
  });

  test('may be asked for each step twice', async () => {
    const { SecretId, keys } = await aSecret();
    const [first] = await keys();
    await rotateOnce(SecretId, 2);
    const [second, ...before] = await keys();
    expect(before).toEqual([first]);
    expect(second?.id).not.toBe(first?.id);
  });

  test('changes nothing before its last step', async () => {
    const { SecretId, keys } = await aSecret();
    const before = await keys();
    const ClientRequestToken = randomUUID();
    for (const Step of steps.slice(0, 3)) {
      await rotate({ SecretId, ClientRequestToken, Step }, client);
    }
    expect(await keys()).toEqual(before);
    const pending = new GetSecretValueCommand({ SecretId, VersionStage: 'AWSPENDING' });
    expect((await client.send(pending)).VersionId).toBe(ClientRequestToken);
  });

  test('stops at a pending version that holds no key, and at a step it does not know', async () => {
    const { SecretId, keys } = await aSecret();
    const [first] = await keys();
    const rotation = { SecretId, ClientRequestToken: randomUUID() };
    const test = rotate({ ...rotation, Step: 'testSecret' }, client);
    await expect(test).rejects.toThrow('no key of 32 bytes');
    const other = rotate({ ...rotation, Step: 'deleteSecret' }, client);
    await expect(other).rejects.toThrow('Unknown step');
    expect(await keys()).toEqual([first]);
  });
});
