import { GetSecretValueCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openSigningKeys } from '../../shared/identity/signing-keys.ts';
import { readSigningKeys, rotateSigningKey } from '../../shared/identity/signing-secret.ts';
import { startTestAws, type TestAws } from '../support/local-aws.ts';

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

let secrets = 0;
function aSecret() {
  secrets += 1;
  return { client, name: `signing-${secrets}` };
}

async function openKeys(
  secret: ReturnType<typeof aSecret>,
  options: { cooldownMs?: number; refreshMs?: number } = {},
) {
  const problems: unknown[] = [];
  let reads = 0;
  const read = () => {
    reads += 1;
    return readSigningKeys(secret);
  };
  const onProblem = (_what: string, cause: unknown) => void problems.push(cause);
  const keys = await openSigningKeys({ read, onProblem, cooldownMs: 0, ...options });
  return { keys, problems, reads: () => reads, [Symbol.dispose]: () => keys.close() };
}

describe('the signing keys', () => {
  test('are made once, however many look for them at the same time', async () => {
    const secret = aSecret();
    const found = await Promise.all(Array.from({ length: 8 }, () => readSigningKeys(secret)));
    expect(new Set(found.map(([key]) => key?.id)).size).toBe(1);
    expect(found.every((keys) => keys.length === 1)).toBe(true);
    const stored = await client.send(new GetSecretValueCommand({ SecretId: secret.name }));
    expect(stored.SecretString).toMatch(/^[\w-]{43}$/);
  });

  test('stay good through one rotation, and no longer', async () => {
    const secret = aSecret();
    const [first] = await readSigningKeys(secret);
    const second = await rotateSigningKey(secret);
    expect(await readSigningKeys(secret)).toEqual([second, first]);
    const third = await rotateSigningKey(secret);
    expect(await readSigningKeys(secret)).toEqual([third, second]);
  });

  test('can be rotated before anybody has needed them', async () => {
    const secret = aSecret();
    const key = await rotateSigningKey(secret);
    expect(await readSigningKeys(secret)).toEqual([key]);
  });

  test('of a rotation elsewhere are found as soon as a session names them', async () => {
    const secret = aSecret();
    using opened = await openKeys(secret);
    const old = opened.keys.current();
    const fresh = await rotateSigningKey(secret);
    expect(opened.keys.current()).toEqual(old);
    expect(await opened.keys.find(fresh.id)).toEqual(fresh);
    expect(opened.keys.current()).toEqual(fresh);
    expect(await opened.keys.find(old?.id ?? '')).toEqual(old);
  });

  test('are not read again for each id that somebody invents', async () => {
    using opened = await openKeys(aSecret(), { cooldownMs: 60_000 });
    for (let at = 0; at < 20; at += 1) {
      expect(await opened.keys.find(`invented${at}`)).toBeUndefined();
    }
    expect(opened.reads()).toBe(1);
  });

  test('are read again from time to time', async () => {
    const secret = aSecret();
    using opened = await openKeys(secret, { refreshMs: 20 });
    const fresh = await rotateSigningKey(secret);
    await expect.poll(() => opened.keys.current()).toEqual(fresh);
  });

  test('come once Secrets Manager answers, and stay when it does not', async () => {
    const problems: unknown[] = [];
    const key = { id: 'one', key: Buffer.alloc(32, 1) };
    let isUp = false;
    const keys = await openSigningKeys({
      read: () => (isUp ? Promise.resolve([key]) : Promise.reject(new Error('down'))),
      onProblem: (_what, cause) => void problems.push(cause),
      refreshMs: 20,
      cooldownMs: 0,
    });
    expect(keys.current()).toBeUndefined();
    expect(await keys.find('one')).toBeUndefined();
    isUp = true;
    await expect.poll(() => keys.current(), { timeout: 5_000 }).toEqual(key);
    isUp = false;
    await keys.find('two');
    expect(keys.current()).toEqual(key);
    // One for each outage.
    expect(problems).toHaveLength(2);
    keys.close();
  });
});
