/** What a tool sees of the call it works for. */
import type { CallContext, TenantAws } from '../../shared/aws/tenant-aws.ts';
import type { Progress } from '../../shared/queue/invocation.ts';
import type { HeldLease } from './held-lease.ts';
import type { ToolContext } from './implement.ts';

export interface ContextPorts {
  createAws(call: CallContext): TenantAws;
  publish(channel: string, progress: Progress): void;
}

export function createContext(held: HeldLease, ports: ContextPorts): ToolContext {
  const { lease, signal } = held;
  const { invocation, replyTo } = lease;
  if (!invocation) throw new Error('Only a readable invocation has a context');
  let last = -Infinity;
  const aws = ports.createAws({
    tenant: lease.tenant,
    user: invocation.user,
    sequence: lease.sequence,
    attempt: lease.attempt,
    deadline: Date.now() + lease.remainingMs,
    signal,
    assertLease: () => held.assertHeld(),
  });
  return {
    aws,
    credentials: aws.credentials,
    signal,
    progress(progress, total, message) {
      if (!invocation.progress || progress <= last) return;
      last = progress;
      ports.publish(replyTo, { id: lease.id, status: 'progress', progress, total, message });
    },
  };
}
