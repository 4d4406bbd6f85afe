/**
 * Whom a request of mcp-rust's is made for: what its envelope says, or else the environment. It is
 * believed as far as the local user is trusted with it, which is for every tenant of the local
 * cluster. At an ingress elsewhere the token says who calls, and nobody else can be called for.
 */
import { readStdioSetting, stdioSettings, type Environment } from '../../../shared/config/stdio.ts';
import type { Endpoint } from '../endpoint.ts';
import { invalidRequest } from './original-error.ts';
import type { OriginalRequest } from './original-request.ts';

export interface Caller {
  readonly tenant: string;
  readonly user: string;
}

/** Ways to reach an ingress as somebody. */
export interface Principals {
  /** Whom a request without any name is made for; undefined if it needs one. */
  own(): Promise<Caller | undefined>;
  /** @throws {OriginalError} if nobody may act for them from here. */
  endpointFor(caller: Caller): Promise<Endpoint>;
  /** Takes back what was made for this process alone. */
  close(): Promise<void>;
}

/** As the documentation of mcp-rust names them. */
const demo: Caller = { tenant: 'demo-tenant', user: 'user-demo-123' };

/** @throws {OriginalError} if the request leaves open whom it is made for. */
export async function callerOf(
  request: Pick<OriginalRequest, 'tenant' | 'user'>,
  environment: Environment,
  principals: Principals,
): Promise<Caller> {
  const standard = standardCaller(environment);
  const given = {
    tenant: request.tenant ?? standard.tenant,
    user: request.user ?? standard.user,
  };
  const isWhole = given.tenant !== undefined && given.user !== undefined;
  const own = isWhole ? undefined : await principals.own();
  return {
    tenant: given.tenant ?? own?.tenant ?? missing('tenant_id', 'defaultTenant'),
    user: given.user ?? own?.user ?? missing('user_id', 'defaultUser'),
  };
}

/** Whether anything says whom a request is made for. */
export function namesCaller({ tenant }: OriginalRequest, environment: Environment): boolean {
  return (tenant ?? standardCaller(environment).tenant) !== undefined;
}

function standardCaller(environment: Environment): Partial<Caller> {
  const assumed: Partial<Caller> = readStdioSetting('devMode', environment) === 'true' ? demo : {};
  return {
    tenant: readStdioSetting('defaultTenant', environment) ?? assumed.tenant,
    user: readStdioSetting('defaultUser', environment) ?? assumed.user,
  };
}

function missing(field: string, setting: keyof typeof stdioSettings): never {
  throw invalidRequest(
    `${field} is required (set ${stdioSettings[setting].env} env var for local dev)`,
  );
}
