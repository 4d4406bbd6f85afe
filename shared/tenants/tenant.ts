/**
 * A tenant, who may act for it, and what they may do.
 * Pure data and decisions; records are read in `tenant-store.ts`.
 */
import { z } from 'zod';
import { TenantId, UserId } from '../ids.ts';

/** The right to use a class of tools. */
export const Permission = z.enum([
  'ReadKV',
  'WriteKV',
  'DeleteKV',
  'ListArtifacts',
  'GetArtifacts',
  'PutArtifacts',
  'SendEvents',
  'DeleteArtifacts',
  'ManageCredentials',
  'ManageDeadLetters',
]);
export type Permission = z.output<typeof Permission>;

export const Role = z.enum(['Admin', 'User', 'Viewer']);
export type Role = z.output<typeof Role>;

const rolePermissions: Readonly<Record<Role, readonly Permission[]>> = {
  Admin: Permission.options,
  User: [
    'ReadKV',
    'WriteKV',
    'DeleteKV',
    'ListArtifacts',
    'GetArtifacts',
    'PutArtifacts',
    'SendEvents',
  ],
  Viewer: ['ReadKV', 'ListArtifacts', 'GetArtifacts'],
};

const count = z.number().int().min(0).max(1_000_000_000);

/** Requests a second to each kind of AWS operation, over all workers. */
export const AwsRates = z.strictObject({
  dynamodbRead: count.min(1).default(1_000),
  dynamodbWrite: count.min(1).default(1_000),
  s3Get: count.min(1).default(500),
  s3Put: count.min(1).default(350),
  s3List: count.min(1).default(10),
  eventbridge: count.min(1).default(1_000),
  secrets: count.min(1).default(500),
});
export type AwsRates = z.output<typeof AwsRates>;

/** What a tenant may hold and do. `concurrency` is the cap: the most live leases at one instant. */
export const Limits = z.strictObject({
  concurrency: count.default(10),
  requestsPerMinute: count.min(1).default(100),
  userRequestsPerMinute: count.min(1).default(100),
  /** The most calls waiting in the queue. */
  backlog: count.default(1_000),
  /** The most bytes of arguments in accepted, unfinished calls. */
  backlogBytes: count.default(33_554_432),
  /** The most sessions of 2025-era clients; a further one ends the one that was idle longest. */
  sessions: count.min(1).default(1_000),
  kvBytes: z.number().int().min(0).default(100_000_000),
  artifacts: count.default(1_000),
  artifactBytes: z.number().int().min(0).default(10_000_000_000),
  aws: AwsRates.prefault({}),
  /** Requests a minute to single tools, by name, besides the limits above. */
  tools: z.record(z.string().regex(/^\w{1,64}$/), count.min(1)).default({}),
});
export type Limits = z.output<typeof Limits>;

export const Tenant = z.strictObject({
  id: TenantId,
  name: z.string().min(1).max(200),
  status: z.enum(['active', 'suspended']).default('active'),
  /** Share of the slots against other tenants with work. */
  weight: z.number().min(0.01).max(1_000).default(1),
  limits: Limits.prefault({}),
  /** Chosen at creation; never changes, or queued work would be stranded. */
  shard: z.number().int().min(0).default(0),
  /** Grows by one with each change, so that a late reader can tell an old record from a new one. */
  version: z.number().int().min(1).default(1),
});
export type Tenant = z.output<typeof Tenant>;

export const User = z.strictObject({
  id: UserId,
  role: Role.default('User'),
  /** Granted besides those of the role. */
  permissions: z.array(Permission).default([]),
});
export type User = z.output<typeof User>;

/** The authenticated caller acting for a tenant. */
export interface Principal {
  readonly tenant: Tenant;
  readonly user: User;
  /** What the caller proved to be, for the audit: `key <id>`, `token <issuer>`; absent with AUTH off. */
  readonly credential?: string;
}

/** Whether the principal may use tools that ask for `needed`, all of it; nothing asked means everyone. */
export function mayUse(
  principal: Principal,
  needed: Permission | readonly Permission[] | undefined,
): boolean {
  if (needed === undefined) return true;
  const { role, permissions } = principal.user;
  const holds = (each: Permission): boolean =>
    rolePermissions[role].includes(each) || permissions.includes(each);
  return typeof needed === 'string' ? holds(needed) : needed.every(holds);
}
