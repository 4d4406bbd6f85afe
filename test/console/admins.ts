/** Accounts of the console for a test, and its API without a page in front. */
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { Command } from 'commander';
import { addAdminCommands } from '../../services/cli/admins.ts';
import {
  createAdminAccounts,
  hashAdminToken,
  newAdminToken,
  type AdminAccounts,
  type AdminRole,
} from '../../shared/admin/accounts.ts';
import type { SignedIn } from '../../shared/admin/api.ts';
import { clusterSettings } from '../../shared/config/cluster.ts';
import { readConfig } from '../../shared/config/setting.ts';
import { UserId } from '../../shared/ids.ts';
import type { TestCluster } from '../support/cluster.ts';

async function withAccounts<Result>(
  { aws }: Pick<TestCluster, 'aws'>,
  work: (accounts: AdminAccounts) => Promise<Result>,
): Promise<Result> {
  const dynamo = new DynamoDBClient(aws);
  try {
    const { tenantsTable } = readConfig(clusterSettings, {});
    return await work(createAdminAccounts({ dynamo, table: tenantsTable }));
  } finally {
    dynamo.destroy();
  }
}

/** Resolves with its token. */
export async function addAdmin(cluster: TestCluster, name: string, role: AdminRole) {
  const token = newAdminToken();
  await withAccounts(cluster, (accounts) =>
    accounts.add({
      name: UserId.parse(name),
      role,
      tokenHash: hashAdminToken(token),
      createdAt: Date.now(),
    }),
  );
  return token;
}

/** Runs `mesh admins …` against the cluster. Resolves with what it prints. */
export async function meshAdmins(
  cluster: TestCluster,
  ...args: readonly string[]
): Promise<string> {
  const { endpoint, credentials } = cluster.aws;
  // The SDK reads its own environment.
  Object.assign(process.env, {
    AWS_ENDPOINT_URL: endpoint,
    AWS_ACCESS_KEY_ID: credentials?.accessKeyId,
    AWS_SECRET_ACCESS_KEY: credentials?.secretAccessKey,
  });
  const printed: string[] = [];
  const program = new Command().exitOverride();
  addAdminCommands(program, {
    environment: { ...process.env, REDIS_URL: cluster.redis },
    isTerminal: false,
    print: (text) => void printed.push(text),
  });
  await program.parseAsync(['admins', ...args], { from: 'user' });
  return printed.join('\n');
}

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  // oxlint-disable-next-line typescript/no-explicit-any -- tests look at what they expect
  readonly body: any;
}

export type Send = (
  method: string,
  path: string,
  body?: object,
  headers?: Readonly<Record<string, string>>,
) => Promise<Answer>;

/** What a page of that address may send. */
export function sender(admin: string): Send {
  return async (method, path, body, headers = {}) => {
    const response = await fetch(`${admin}${path}`, {
      method,
      headers: {
        origin: admin,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    const isJson = response.headers.get('content-type')?.startsWith('application/json') ?? false;
    return {
      status: response.status,
      headers: response.headers,
      body: isJson ? JSON.parse(text) : text,
    };
  };
}

/** Signs in, and sends everything as whoever that is. */
export async function signedIn(admin: string, token: string) {
  const send = sender(admin);
  const answer = await send('POST', '/api/session', { token });
  const session = answer.body as SignedIn;
  const cookie = answer.headers.get('set-cookie')?.split(';')[0] ?? '';
  const mine: Send = (method, path, body, headers = {}) =>
    send(method, path, body, { cookie, 'x-mesh-csrf': session.csrf, ...headers });
  return { ...session, cookie, send: mine };
}
