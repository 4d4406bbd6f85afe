/**
 * What a local cluster stands on: Redis (the one that REDIS_URL names, or a private child) and AWS
 * (the project's own as a child, or the real one).
 */
import { z } from 'zod';
import { type AwsAccess, newCredentialsFile, parseCredentialsFile } from './aws-access.ts';
import { startChild } from './child.ts';
import type { DataFolder } from './data-folder.ts';
import { findRedis } from './find-redis.ts';
import { startRedis } from './redis.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

export interface Backend {
  /** Resolves with a reason once it is gone. Absent where it is not ours. */
  readonly ended?: Promise<string>;
  close(): Promise<void>;
}

export interface RedisBackend extends Backend {
  readonly url: string;
}

export interface AwsBackend extends Backend {
  readonly access: AwsAccess;
  /** What ingresses and workers need to reach it, besides what they get anyway. */
  readonly environment: Environment;
}

export interface BackendOptions {
  readonly environment: Environment;
  readonly onStep: (text: string) => void;
}

/** The account that the local AWS plays, and its role for workers acting for one tenant. */
export const localTenantRole = 'arn:aws:iam::000000000000:role/agent-mesh-tenant';
const stopTimeoutMs = 10_000;
const nothing = (): Promise<void> => Promise.resolve();

export async function openRedis(
  folder: DataFolder,
  { environment, onStep }: BackendOptions,
): Promise<RedisBackend> {
  const given = environment['REDIS_URL'];
  if (given) return { url: given, close: nothing };
  const program = await findRedis({ path: environment['PATH'] ?? '', onStep });
  onStep('Starting Redis');
  return startRedis({ program, dataDir: folder.redis });
}

export function openRealAws(region: string): AwsBackend {
  return { access: { region }, environment: { AWS_REGION: region }, close: nothing };
}

export async function openLocalAws(
  folder: DataFolder,
  region: string,
  { environment, onStep }: BackendOptions,
): Promise<AwsBackend> {
  onStep('Starting the local AWS');
  const credentials = parseCredentialsFile(
    await folder.secret('aws-credentials', newCredentialsFile),
  );
  // Nothing of a real account may leak in: no profile, no session token, no endpoint of one service.
  const real = Object.keys(environment).filter((name) => name.startsWith('AWS_'));
  const own = {
    ...Object.fromEntries(real.map((name) => [name, undefined])),
    AWS_REGION: region,
    AWS_ACCESS_KEY_ID: credentials.accessKeyId,
    AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
  };
  const child = await startChild({
    name: 'aws',
    script: 'deploy/local/aws/main.ts',
    environment: {
      ...environment,
      ...own,
      LOCAL_AWS_PORT: '0',
      LOCAL_AWS_DATA_DIR: folder.aws,
    },
    logDir: folder.logs,
    ready: z.object({ url: z.string() }),
  });
  const endpoint = child.ready.url;
  return {
    access: { region, endpoint, credentials },
    environment: { AGENT_MESH_TENANT_ROLE: localTenantRole, ...own, AWS_ENDPOINT_URL: endpoint },
    ended: child.ended,
    async close() {
      await child.stop(stopTimeoutMs);
    },
  };
}
