/**
 * The keys that sign sessions, as Secrets Manager holds them: AWSCURRENT signs, AWSPREVIOUS is
 * still good for checking. The first ingress that finds none makes one.
 */
import { createHash, randomBytes } from 'node:crypto';
import {
  CreateSecretCommand,
  GetSecretValueCommand,
  PutSecretValueCommand,
  ResourceExistsException,
  ResourceNotFoundException,
  type SecretsManagerClient,
} from '@aws-sdk/client-secrets-manager';

export interface SigningKey {
  /** Travels in each session id. Computed from the key, and tells nothing of it. */
  readonly id: string;
  readonly key: Uint8Array;
}

export interface SigningSecret {
  readonly client: SecretsManagerClient;
  /** Its name in Secrets Manager. */
  readonly name: string;
}

const keyBytes = 32;
const keyIdLength = 8;
const timeoutMs = 3_000;

/** The current key, then the one before it if there was one. Rejects with the SDK's exceptions. */
export async function readSigningKeys(secret: SigningSecret): Promise<readonly SigningKey[]> {
  const current = (await readStage(secret, 'AWSCURRENT')) ?? (await create(secret));
  const previous = await readStage(secret, 'AWSPREVIOUS');
  return previous === undefined ? [current] : [current, previous];
}

/** Makes a new key current; the one so far stays good for checking until the next rotation. */
export async function rotateSigningKey({ client, name }: SigningSecret): Promise<SigningKey> {
  const text = newKeyText();
  try {
    await client.send(new PutSecretValueCommand({ SecretId: name, SecretString: text }), inTime());
    return toKey(text);
  } catch (cause) {
    if (!(cause instanceof ResourceNotFoundException)) throw cause;
    return create({ client, name });
  }
}

async function readStage(
  { client, name }: SigningSecret,
  stage: 'AWSCURRENT' | 'AWSPREVIOUS',
): Promise<SigningKey | undefined> {
  try {
    const { SecretString } = await client.send(
      new GetSecretValueCommand({ SecretId: name, VersionStage: stage }),
      inTime(),
    );
    return toKey(SecretString ?? '');
  } catch (cause) {
    if (cause instanceof ResourceNotFoundException) return undefined;
    throw cause;
  }
}

/** Of several that try at once, one creates it and the others read what that one made. */
async function create(secret: SigningSecret): Promise<SigningKey> {
  const text = newKeyText();
  try {
    await secret.client.send(
      new CreateSecretCommand({
        Name: secret.name,
        SecretString: text,
        Description: 'Signs the session ids of 2025-era MCP clients',
      }),
      inTime(),
    );
    return toKey(text);
  } catch (cause) {
    if (!(cause instanceof ResourceExistsException)) throw cause;
    const made = await readStage(secret, 'AWSCURRENT');
    if (made) return made;
    throw cause;
  }
}

const newKeyText = (): string => randomBytes(keyBytes).toString('base64url');

/** @throws {Error} that never quotes the secret. */
function toKey(text: string): SigningKey {
  const key = Buffer.from(text, 'base64url');
  if (key.length !== keyBytes) throw new Error('The signing secret holds no key of 32 bytes');
  const id = createHash('sha256').update('key id\n').update(key).digest('base64url');
  return { id: id.slice(0, keyIdLength), key };
}

const inTime = (): { readonly abortSignal: AbortSignal } => ({
  abortSignal: AbortSignal.timeout(timeoutMs),
});
