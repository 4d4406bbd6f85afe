/** What a tool sees of the call it works for. */
import type { CallContext, TenantAws } from '../../shared/aws/tenant-aws.ts';
import type { DeadLetterBox } from '../../shared/dead-letters/dead-letter-store.ts';
import type { Change } from '../../shared/queue/change-events.ts';
import { ClientSide, type Notice } from '../../shared/queue/invocation.ts';
import type { Lease } from '../../shared/queue/lease.ts';
import type { TenantId } from '../../shared/ids.ts';
import type { HeldLease } from './held-lease.ts';
import type { RawContext } from './implement.ts';

export interface ContextPorts {
  createAws(call: CallContext): TenantAws;
  openDeadLetters(lease: Lease): DeadLetterBox;
  /** In the version `v` of messages. */
  publish(channel: string, notice: Notice, v: number): void;
  announce(tenant: TenantId, change: Change): void;
}

export function createContext(held: HeldLease, ports: ContextPorts): RawContext {
  const { lease, signal } = held;
  const { invocation } = lease;
  if (!invocation) throw new Error('Only a readable invocation has a context');
  const publish = (notice: Notice): void => ports.publish(lease.replyTo, notice, invocation.v);
  let last = -Infinity;
  const deadline = Date.now() + lease.remainingMs;
  let made: TenantAws | undefined;
  /** Clients of a tenant cost 100 KB, which a tool that uses none need not pay. */
  const aws = (): TenantAws =>
    (made ??= ports.createAws({
      tenant: lease.tenant,
      user: invocation.user,
      sequence: lease.sequence,
      attempt: lease.attempt,
      deadline,
      signal,
      assertLease: () => held.assertHeld(),
    }));
  const client = invocation.client ?? ClientSide.parse({});
  return {
    get aws() {
      return aws();
    },
    client,
    get credentials() {
      return aws().credentials;
    },
    get deadLetters() {
      return ports.openDeadLetters(lease);
    },
    signal,
    progress(progress, total, message) {
      if (!invocation.progress || progress <= last) return;
      last = progress;
      publish({ id: lease.id, status: 'progress', progress, total, message });
    },
    log(level, data) {
      if (client.log) publish({ id: lease.id, status: 'log', level, data });
    },
    announce: (change) => ports.announce(lease.tenant, change),
  };
}
