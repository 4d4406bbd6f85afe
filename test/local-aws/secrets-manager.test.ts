import { randomUUID } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import * as M from '@aws-sdk/client-secrets-manager';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { refusal, startAws } from './support.ts';

let aws: Awaited<ReturnType<typeof startAws>>;
let client: M.SecretsManagerClient;
beforeAll(async () => {
  aws = await startAws();
  client = aws.secrets;
});
afterAll(() => aws[Symbol.asyncDispose]());

const create = (Name: string, more: Partial<M.CreateSecretCommandInput> = {}) =>
  client.send(new M.CreateSecretCommand({ Name, SecretString: 'v1', ...more }));
const get = (SecretId: string, more: Partial<M.GetSecretValueCommandInput> = {}) =>
  client.send(new M.GetSecretValueCommand({ SecretId, ...more }));
const put = (
  SecretId: string,
  SecretString: string,
  more: Partial<M.PutSecretValueCommandInput> = {},
) => client.send(new M.PutSecretValueCommand({ SecretId, SecretString, ...more }));
const describeSecret = (SecretId: string) => client.send(new M.DescribeSecretCommand({ SecretId }));

describe('secrets', () => {
  test('are found by name, ARN and ARN without its end', async () => {
    const { ARN = '' } = await create('t/db', {
      Description: 'd',
      Tags: [{ Key: 'tenant', Value: 't' }],
    });
    expect(ARN).toMatch(/:secret:t\/db-[A-Za-z0-9]{6}$/);
    for (const id of ['t/db', ARN, ARN.slice(0, -7)]) {
      const { SecretString, VersionStages, CreatedDate } = await get(id);
      expect([SecretString, VersionStages]).toEqual(['v1', ['AWSCURRENT']]);
      expect(CreatedDate).toBeInstanceOf(Date);
    }
    await refusal(create('t/db'), 'ResourceExistsException');
    await refusal(get('t/none'), 'ResourceNotFoundException');
  });

  test('are sealed on disk under a key of their own', async () => {
    await create('sealed', { SecretString: 'do-not-write-me-down' });
    expect(readFileSync(join(aws.dataDir, 'journal.jsonl'), 'utf8')).not.toContain('write-me-down');
    expect(statSync(join(aws.dataDir, 'secrets.key')).mode & 0o777).toBe(0o600);
    expect(statSync(aws.dataDir).mode & 0o777).toBe(0o700);
  });

  test('keep the version before', async () => {
    const { VersionId } = await create('versions');
    await put('versions', 'v2');
    expect((await get('versions')).SecretString).toBe('v2');
    expect((await get('versions', { VersionStage: 'AWSPREVIOUS' })).VersionId).toBe(VersionId);
    expect((await get('versions', { VersionId })).SecretString).toBe('v1');
  });

  test('rotate through a pending version', async () => {
    const { VersionId: current } = await create('rotated');
    const pending = randomUUID();
    await put('rotated', 'v2', { ClientRequestToken: pending, VersionStages: ['AWSPENDING'] });
    expect((await get('rotated')).SecretString).toBe('v1');
    await client.send(
      new M.UpdateSecretVersionStageCommand({
        SecretId: 'rotated',
        VersionStage: 'AWSCURRENT',
        MoveToVersionId: pending,
        RemoveFromVersionId: current,
      }),
    );
    expect((await get('rotated')).SecretString).toBe('v2');
    expect((await get('rotated', { VersionStage: 'AWSPREVIOUS' })).VersionId).toBe(current);
  });

  test('take a token for one value only', async () => {
    await create('token');
    const ClientRequestToken = randomUUID();
    const first = await put('token', 'v', { ClientRequestToken });
    expect((await put('token', 'v', { ClientRequestToken })).VersionId).toBe(first.VersionId);
    await refusal(put('token', 'other', { ClientRequestToken }), 'ResourceExistsException');
  });

  test('are updated, tagged and described with their versions', async () => {
    await create('described', { Tags: [{ Key: 'a', Value: '1' }] });
    await client.send(
      new M.UpdateSecretCommand({ SecretId: 'described', Description: 'new', SecretString: 'v2' }),
    );
    await client.send(
      new M.TagResourceCommand({ SecretId: 'described', Tags: [{ Key: 'b', Value: '2' }] }),
    );
    const { Description, Tags, VersionIdsToStages } = await describeSecret('described');
    expect([Description, Tags?.length]).toEqual(['new', 2]);
    expect(
      Object.values(VersionIdsToStages ?? {})
        .flat()
        .sort(),
    ).toEqual(['AWSCURRENT', 'AWSPREVIOUS']);
    const { Versions } = await client.send(
      new M.ListSecretVersionIdsCommand({ SecretId: 'described', IncludeDeprecated: true }),
    );
    expect(Versions).toHaveLength(2);
  });

  test('are listed by name and tag', async () => {
    await create('list/1', { Tags: [{ Key: 'kind', Value: 'x' }] });
    await create('list/2');
    const list = async (...Filters: M.Filter[]) => {
      const { SecretList } = await client.send(new M.ListSecretsCommand({ Filters }));
      return SecretList?.map(({ Name }) => Name);
    };
    expect(await list({ Key: 'name', Values: ['list/'] })).toEqual(['list/1', 'list/2']);
    expect(await list({ Key: 'tag-key', Values: ['kind'] })).toEqual(['list/1']);
    expect(await list({ Key: 'name', Values: ['nothing'] })).toEqual([]);
  });

  test('are read many at once, each failing for itself', async () => {
    await create('many');
    const { SecretValues, Errors } = await client.send(
      new M.BatchGetSecretValueCommand({ SecretIdList: ['many', 'missing'] }),
    );
    expect([SecretValues?.length, Errors?.length]).toEqual([1, 1]);
  });

  test('may be bytes, of at most 64 KiB', async () => {
    await create('bytes', { SecretString: undefined, SecretBinary: new Uint8Array([0, 255, 7]) });
    expect([...((await get('bytes')).SecretBinary ?? [])]).toEqual([0, 255, 7]);
    await refusal(put('bytes', 'x'.repeat(65_537)), 'ValidationException');
  });

  test('can be restored until they are gone', async () => {
    await create('deleted');
    const { DeletionDate } = await client.send(
      new M.DeleteSecretCommand({ SecretId: 'deleted', RecoveryWindowInDays: 7 }),
    );
    expect(DeletionDate?.getTime()).toBeGreaterThan(Date.now());
    await refusal(get('deleted'), 'InvalidRequestException');
    await client.send(new M.RestoreSecretCommand({ SecretId: 'deleted' }));
    await get('deleted');
    await client.send(
      new M.DeleteSecretCommand({ SecretId: 'deleted', ForceDeleteWithoutRecovery: true }),
    );
    await refusal(get('deleted'), 'ResourceNotFoundException');
  });
});

test('refuses operations it does not have, by name', async () => {
  const error = await refusal(
    client.send(new M.RotateSecretCommand({ SecretId: 'any' })),
    'UnknownOperationException',
  );
  expect(error.message).toContain('RotateSecret');
});
