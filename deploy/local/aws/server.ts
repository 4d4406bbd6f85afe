/**
 * The local AWS: one HTTP endpoint that speaks the wire protocols of DynamoDB, S3, EventBridge, SQS,
 * Secrets Manager and STS for the operations this project uses, and refuses any other by name.
 * Checks every signature, confines tagged sessions by the policy in deploy/aws, and answers a
 * change only once it is on file.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { readTenantPolicy, readTrustPolicy, type ResourceNames } from '../../aws/policies.ts';
import type { Caller } from './access.ts';
import { accountId, accountIn } from './account.ts';
import { authenticator } from './authenticate.ts';
import { AwsError } from './aws-error.ts';
import { lockDataDir } from './data-dir-lock.ts';
import { createDynamoDb } from './dynamodb/dynamodb.ts';
import { createEventBridge } from './events/eventbridge.ts';
import { answerJson, refuseJson } from './json-protocol.ts';
import { openJournal } from './journal.ts';
import type { JsonService, Operation } from './operation.ts';
import { compilePolicy } from './policy.ts';
import { readBody } from './request-body.ts';
import { createS3 } from './s3/s3.ts';
import { createSecretsManager } from './secrets/secrets-manager.ts';
import { createSessions } from './sessions.ts';
import { sha256Hex } from './sigv4.ts';
import { createSqs } from './sqs/sqs.ts';
import { createSts, stsNamespace } from './sts.ts';
import { xmlDocument } from './xml.ts';

export interface LocalAws {
  readonly url: string;
  close(): Promise<void>;
}

export interface LocalAwsOptions {
  readonly host?: string;
  /** 0 or absent takes a free one. */
  readonly port?: number;
  /** Created with mode 0700. One process at a time. */
  readonly dataDir: string;
  readonly region?: string;
  /** The account's own key, which may do everything. */
  readonly credentials: { readonly accessKeyId: string; readonly secretAccessKey: string };
  /** Resources that the tenant policy speaks of. */
  readonly names?: ResourceNames;
}

const defaultNames: ResourceNames = {
  kvTable: 'agent-mesh-kv',
  artifactsBucket: 'agent-mesh-artifacts',
  eventBus: 'agent-mesh-events',
};

/** @throws if the data directory is in use by another process or damaged, or the port is taken. */
export async function startLocalAws(options: LocalAwsOptions): Promise<LocalAws> {
  const { dataDir, host = '127.0.0.1', port = 0, region = 'us-west-2' } = options;
  const account = accountIn(region);
  const root: Caller = { arn: `arn:aws:iam::${accountId}:root`, userId: accountId };
  const unlock = lockDataDir(dataDir);
  const journal = await openJournal(dataDir).catch((error: unknown) => {
    unlock();
    throw error;
  });
  const tenantPolicy = compilePolicy(readTenantPolicy(options.names ?? defaultNames));
  const sessions = createSessions(journal, tenantPolicy);
  const sts = createSts(sessions, compilePolicy(readTrustPolicy(root.arn)));
  const sqs = createSqs({ journal, account, url: () => url });
  const dynamoDb = createDynamoDb(journal, account);
  const s3 = await createS3(journal, dataDir);
  const services = new Map<string, JsonService>();
  for (const service of [
    dynamoDb.service,
    sqs.service,
    createEventBridge({ journal, account, deliver: sqs.deliver }),
    createSecretsManager({ journal, account, dataDir }),
  ]) {
    services.set(service.target, service);
  }
  const authenticate = authenticator(options.credentials, root, sessions);

  const server = createServer(
    { keepAliveTimeout: 60_000, requestTimeout: 0 },
    (request, response) => {
      void handle(request, response);
    },
  );
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject).listen(port, host, resolve);
  }).catch(async (error: unknown) => {
    await stop();
    throw error;
  });
  const url = `http://${host}:${portOf(server.address())}`;
  return {
    url,
    async close() {
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await closed;
      await stop();
    },
  };

  async function stop(): Promise<void> {
    sqs.close();
    dynamoDb.close();
    await journal.close();
    unlock();
  }

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    response.setHeader('x-amzn-requestid', crypto.randomUUID());
    const target = request.headers['x-amz-target'];
    if (typeof target === 'string') {
      await handleJson(request, response, target);
      return;
    }
    if (request.method === 'POST' && request.url === '/') {
      await handleQuery(request, response);
      return;
    }
    await s3.handle(request, response, (bodyHash) => authenticate(request, 's3', bodyHash));
  }

  async function handleJson(
    request: IncomingMessage,
    response: ServerResponse,
    target: string,
  ): Promise<void> {
    const [name = '', operationName = ''] = target.split('.');
    const service = services.get(name);
    try {
      const body = await readBody(request);
      const prefix = service?.prefix;
      const caller = authenticate(request, prefix, sha256Hex(body));
      const operation = operationOf(service, operationName);
      if (!service || !operation) {
        throw new AwsError(
          'UnknownOperationException',
          `Operation ${target} is not supported by the local AWS`,
        );
      }
      const action = `${prefix}:${operationName}`;
      const output = await operation(parseJson(body), {
        caller,
        action,
        get signal() {
          return untilClosed(response);
        },
      });
      // A read waits too: it must not show what a crash could still take back.
      await journal.flush();
      answerJson(response, service, output);
    } catch (error) {
      refuseJson(response, service, toAwsError(error));
    }
  }

  async function handleQuery(request: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      const body = await readBody(request);
      const caller = authenticate(request, 'sts', sha256Hex(body));
      const answer = sts.handle(new URLSearchParams(body.toString('utf8')), caller);
      await journal.flush();
      response.writeHead(200, { 'content-type': 'text/xml' }).end(answer);
    } catch (error) {
      const { code, message, status } = toAwsError(error);
      const type = status < 500 ? 'Sender' : 'Receiver';
      response.writeHead(status, { 'content-type': 'text/xml' }).end(
        xmlDocument('ErrorResponse', stsNamespace, [
          [
            'Error',
            [
              ['Type', type],
              ['Code', code],
              ['Message', message],
            ],
          ],
          ['RequestId', crypto.randomUUID()],
        ]),
      );
    }
  }
}

function operationOf(service: JsonService | undefined, name: string): Operation | undefined {
  return service && Object.hasOwn(service.operations, name) ? service.operations[name] : undefined;
}

function parseJson(body: Buffer): unknown {
  if (body.byteLength === 0) return {};
  try {
    const input: unknown = JSON.parse(body.toString('utf8'));
    return input;
  } catch {
    throw new AwsError('SerializationException', 'The request body is not JSON');
  }
}

/** The end of what the client sends comes some turns before the connection is closed. */
function untilClosed(response: ServerResponse): AbortSignal {
  const controller = new AbortController();
  const abort = () => controller.abort();
  const { socket } = response;
  if (!socket || response.destroyed) abort();
  socket?.once('end', abort);
  response.once('close', () => {
    socket?.off('end', abort);
    abort();
  });
  return controller.signal;
}

function toAwsError(error: unknown): AwsError {
  if (error instanceof AwsError) return error;
  const detail = error instanceof Error ? (error.stack ?? error.message) : String(error);
  process.stderr.write(`local AWS: ${detail}\n`);
  return new AwsError('InternalServerError', 'Internal failure of the local AWS', 500);
}

function portOf(address: AddressInfo | string | null): number {
  if (address === null || typeof address === 'string') throw new Error('Not listening on a port');
  return address.port;
}
