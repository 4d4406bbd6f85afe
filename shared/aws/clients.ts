/**
 * SDK clients per tenant, each with that tenant's credentials, rates and the lease guard, in a bounded
 * cache over one shared pool of sockets. Endpoints and base credentials are the SDK's own business:
 * AWS_ENDPOINT_URL, profiles, roles.
 */
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { EventBridgeClient } from '@aws-sdk/client-eventbridge';
import { S3Client } from '@aws-sdk/client-s3';
import { SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { STSClient } from '@aws-sdk/client-sts';
import { NodeHttpHandler } from '@smithy/node-http-handler';
import type { TenantId } from '../ids.ts';
import { rateGuard, rateGuardPlacement } from './buckets/rate-guard.ts';
import type { RateGate } from './buckets/rate-gate.ts';
import { tenantCredentials } from './credentials.ts';
import { guardPlacement, leaseGuard } from './lease-guard.ts';

/** Sees each request of each client just before the wire, retries included. */
export type AwsMiddleware = <Args extends object, Output extends object>(
  next: (args: Args) => Promise<Output>,
  context: { readonly clientName?: string; readonly commandName?: string },
) => (args: Args) => Promise<Output>;

interface TenantClients {
  readonly dynamodb: DynamoDBClient;
  readonly s3: S3Client;
  /** For URLs alone: sends nothing, and adds no checksum of a body that it does not see. */
  readonly signing: S3Client;
  readonly secrets: SecretsManagerClient;
  /** Never retries: a lost answer must not publish an event twice. */
  readonly eventbridge: EventBridgeClient;
}

export interface ClientsOptions {
  readonly region: string;
  /** ARN of the role to assume for each tenant. Absent: every tenant uses the process's own credentials. */
  readonly tenantRole?: string | undefined;
  /** Absent: no rates hold. */
  readonly rates?: RateGate | undefined;
  /** Absent: nobody looks. */
  readonly observe?: AwsMiddleware | undefined;
  /** Tenants whose clients are kept; about 100 KB each. */
  readonly maxTenants?: number;
  /** The longest a request may wait for its answer, or a body for its next byte. */
  readonly requestTimeoutMs?: number;
}

export interface ClientCache {
  for(tenant: TenantId): TenantClients;
  /** Closes the shared sockets. Only once no call runs any more. */
  close(): void;
}

const connectionTimeoutMs = 2_000;

/** With the timeout of each, these end within a call's own time. */
const maxAttempts = 3;

/** Below the idle limit of AWS's own servers, so that a socket is never reused while they close it. */
const idleSocketMs = 10_000;

export function createClientCache(options: ClientsOptions): ClientCache {
  const { region, maxTenants = 500 } = options;
  const requestHandler = createRequestHandler(options.requestTimeoutMs ?? 10_000);
  const shared = { region, requestHandler, maxAttempts };
  const sts = new STSClient(shared);
  if (options.observe) sts.middlewareStack.add(options.observe, observerPlacement);
  const cache = new Map<TenantId, TenantClients>();

  const create = (tenant: TenantId): TenantClients =>
    createTenantClients(tenant, {
      ...shared,
      credentials:
        options.tenantRole === undefined
          ? // Resolved once for all tenants, not once per client.
            sts.config.credentials
          : tenantCredentials(tenant, { sts, role: options.tenantRole }),
      rates: options.rates,
      observe: options.observe,
    });

  return {
    for(tenant) {
      const clients = cache.get(tenant) ?? create(tenant);
      // Deleted and set again: a Map's order then runs from the least recently used.
      cache.delete(tenant);
      cache.set(tenant, clients);
      const [oldest] = cache.keys();
      // Dropped, never destroyed: `destroy()` would end other tenants' requests on the shared sockets.
      if (cache.size > maxTenants && oldest !== undefined) cache.delete(oldest);
      return clients;
    },
    close: () => requestHandler.destroy(),
  };
}

const observerPlacement = { ...guardPlacement, name: 'observer' } as const;

interface TenantClientConfig {
  readonly region: string;
  readonly maxAttempts: number;
  readonly requestHandler: NodeHttpHandler;
  readonly credentials: STSClient['config']['credentials'] | ReturnType<typeof tenantCredentials>;
  readonly rates: RateGate | undefined;
  readonly observe: AwsMiddleware | undefined;
}

function createTenantClients(
  tenant: TenantId,
  { rates, observe, ...config }: TenantClientConfig,
): TenantClients {
  // Path style: one host name for every bucket, so that a private endpoint needs no wildcard name.
  const s3Config = { ...config, forcePathStyle: true };
  const clients = {
    dynamodb: new DynamoDBClient(config),
    s3: new S3Client(s3Config),
    signing: new S3Client({ ...s3Config, requestChecksumCalculation: 'WHEN_REQUIRED' }),
    eventbridge: new EventBridgeClient({ ...config, maxAttempts: 1 }),
    secrets: new SecretsManagerClient(config),
  };
  const guard = leaseGuard(tenant);
  clients.dynamodb.middlewareStack.add(guard, guardPlacement);
  clients.s3.middlewareStack.add(guard, guardPlacement);
  clients.signing.middlewareStack.add(guard, guardPlacement);
  clients.eventbridge.middlewareStack.add(guard, guardPlacement);
  clients.secrets.middlewareStack.add(guard, guardPlacement);
  if (observe) {
    // Added after the guard, so that it sees what the guard has let out.
    clients.dynamodb.middlewareStack.add(observe, observerPlacement);
    clients.s3.middlewareStack.add(observe, observerPlacement);
    clients.eventbridge.middlewareStack.add(observe, observerPlacement);
    clients.secrets.middlewareStack.add(observe, observerPlacement);
  }
  if (rates === undefined) return clients;
  const rateLimit = rateGuard(tenant, rates);
  clients.dynamodb.middlewareStack.addRelativeTo(rateLimit, rateGuardPlacement);
  clients.s3.middlewareStack.addRelativeTo(rateLimit, rateGuardPlacement);
  clients.eventbridge.middlewareStack.addRelativeTo(rateLimit, rateGuardPlacement);
  clients.secrets.middlewareStack.addRelativeTo(rateLimit, rateGuardPlacement);
  return clients;
}

function createRequestHandler(requestTimeoutMs: number): NodeHttpHandler {
  const agent = { keepAlive: true, maxSockets: 256, timeout: idleSocketMs };
  return new NodeHttpHandler({
    httpAgent: agent,
    httpsAgent: agent,
    connectionTimeout: connectionTimeoutMs,
    requestTimeout: requestTimeoutMs,
    // Without it the SDK only prints a warning and keeps waiting.
    throwOnRequestTimeout: true,
    socketTimeout: requestTimeoutMs,
  });
}
