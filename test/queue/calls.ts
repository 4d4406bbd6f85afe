/** Tenants and calls for tests of the queue; a test states only what it is about. */
import { InvocationId, UserId, newInvocationId } from '../../shared/ids.ts';
import type { AdmissionRequest } from '../../shared/queue/admission.ts';
import type { Reply } from '../../shared/queue/invocation.ts';
import { newestVersion } from '../../shared/queue/message-versions.ts';
import type { InvocationQueue } from '../../shared/queue/invocation-queue.ts';
import type { Lease } from '../../shared/queue/lease.ts';
import { Tenant, User, type Limits } from '../../shared/tenants/tenant.ts';

/** Limits that are never in the way, unless a test is about them. */
const roomy = {
  concurrency: 100,
  requestsPerMinute: 1_000_000_000,
  userRequestsPerMinute: 1_000_000_000,
  backlog: 1_000_000,
  backlogBytes: 1_000_000_000,
};

export interface ATenant extends Partial<Limits> {
  readonly id?: string;
  readonly weight?: number;
  readonly version?: number;
}

export function aTenant({ id = 'acme', weight = 1, version = 1, ...limits }: ATenant = {}): Tenant {
  return Tenant.parse({ id, name: id, weight, version, limits: { ...roomy, ...limits } });
}

export function aUser(id = 'ann'): User {
  return User.parse({ id });
}

/** An id that the pattern allows and a reader recognises. */
export function anId(name: string, kind: 'i' | 'c' = 'i'): InvocationId {
  return InvocationId.parse(`${kind}-${name.padEnd(24, '_')}`);
}

export interface ACall extends Partial<AdmissionRequest> {
  readonly id?: InvocationId;
  readonly arguments?: Record<string, unknown>;
  readonly tool?: string;
}

/** A call of a tenant, ready to be admitted. */
export function aCall(tenant: Tenant, given: ACall = {}): AdmissionRequest {
  const { id = newInvocationId(), arguments: input = {}, tool = 'a_tool', ...rest } = given;
  const user = rest.user ?? aUser();
  return {
    tenant,
    user,
    invocation: {
      v: newestVersion,
      id,
      tenant: tenant.id,
      user: UserId.parse(user.id),
      tool,
      arguments: input,
      progress: false,
    },
    replyTo: 'mesh:reply:test',
    replyTtlMs: 60_000,
    fingerprint: '',
    admitBy: Number.MAX_SAFE_INTEGER,
    timeoutMs: 600_000,
    cost: 1,
    ...rest,
  };
}

export const done = ({ id }: { readonly id: InvocationId }, result = '{}'): Reply => ({
  id,
  status: 'completed',
  result,
});

/** Claims one call, which must be there. */
export async function claimOne(queue: InvocationQueue): Promise<Lease> {
  const [lease] = (await queue.claim(0, 1)).leases;
  if (!lease) throw new Error('nothing to claim');
  return lease;
}
