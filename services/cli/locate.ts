/**
 * Where the cluster is that a command is about: where REDIS_URL and the AWS environment say, or
 * else where the local one that is running says.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseCredentialsFile, type AwsAccess } from '../../deploy/local/aws-access.ts';
import { readUpFile } from '../../deploy/local/up-file.ts';
import type { CliPorts } from './ports.ts';

/** Set by whoever means a real account, in whatever way. */
const awsVariables = [
  'AWS_ACCESS_KEY_ID',
  'AWS_PROFILE',
  'AWS_ROLE_ARN',
  'AWS_ENDPOINT_URL',
  'AWS_CONTAINER_CREDENTIALS_RELATIVE_URI',
  'AWS_CONTAINER_CREDENTIALS_FULL_URI',
];

/** @throws {SetupError} if nothing is set and no local cluster runs, as `locateRedis`. */
export async function locateAws(
  { environment }: Pick<CliPorts, 'environment'>,
  dataDir: string,
  region: string,
): Promise<AwsAccess> {
  if (awsVariables.some((name) => environment[name])) return { region };
  const { aws: endpoint } = await readUpFile(join(dataDir, 'up.json'));
  if (endpoint === undefined) return { region };
  const file = await readFile(join(dataDir, 'aws-credentials'), 'utf8');
  return { region, endpoint, credentials: parseCredentialsFile(file) };
}

/** `configured` is what REDIS_URL says, if anything. */
export async function locateRedis(
  { environment }: Pick<CliPorts, 'environment'>,
  dataDir: string,
  configured: string,
): Promise<string> {
  return environment['REDIS_URL'] ? configured : (await readUpFile(join(dataDir, 'up.json'))).redis;
}
