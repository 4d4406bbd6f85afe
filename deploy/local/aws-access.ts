/**
 * How the launcher and the cli reach AWS: the SDK's own defaults for a real account, endpoint and
 * credentials for the local one. Those are kept in the format of the SDK's own credentials file.
 */
import { randomBytes } from 'node:crypto';
import { SetupError } from './setup-error.ts';

/** What every SDK client takes as its configuration. */
export interface AwsAccess {
  readonly region: string;
  /** Absent with the credentials: the SDK finds both itself. */
  readonly endpoint?: string;
  readonly credentials?: LocalCredentials;
}

export interface LocalCredentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

/** As the text of a credentials file with one profile, `default`. */
export function newCredentialsFile(): string {
  const accessKeyId = `AKIA${randomBytes(8).toString('hex').toUpperCase()}`;
  const secretAccessKey = randomBytes(30).toString('base64url');
  return `[default]\naws_access_key_id = ${accessKeyId}\naws_secret_access_key = ${secretAccessKey}\n`;
}

/** @throws {SetupError} if the text is not such a file. */
export function parseCredentialsFile(text: string): LocalCredentials {
  const read = (name: string): string => {
    const value = new RegExp(`^${name}\\s*=\\s*(\\S+)\\s*$`, 'm').exec(text)?.[1];
    if (value === undefined)
      throw new SetupError(`aws-credentials has no ${name}. Delete the file.`);
    return value;
  };
  return {
    accessKeyId: read('aws_access_key_id'),
    secretAccessKey: read('aws_secret_access_key'),
  };
}
