/**
 * The start of a tool that must run at most once: marked in DynamoDB, which survives the loss of
 * Redis, and then in Redis, which fences. A crash in between counts as begun.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { CallContext } from '../../shared/aws/tenant-aws.ts';
import type { OnceMark } from '../../shared/aws/once-mark.ts';
import type { Lease } from '../../shared/queue/lease.ts';
import type { HeldLease } from './held-lease.ts';

export interface BeginPorts {
  /** Whether the mark is ours. */
  mark(mark: OnceMark, call: CallContext): Promise<boolean>;
  begin(lease: Lease): Promise<'begun' | 'lost' | 'unknown'>;
}

/** Between attempts after Redis failed the mark. */
const pauseMs = 100;

/** @throws {Fault} if it could not be marked: then nothing has begun. */
export async function beginOnce(
  held: HeldLease,
  ports: BeginPorts,
): Promise<'begun' | 'lost' | 'unknown'> {
  const { lease, signal } = held;
  const { id, token, tenant, invocation } = lease;
  if (!invocation) throw new Error('Only a readable invocation can begin');
  const name = invocation.replay === undefined ? id : `${id}#${invocation.replay}`;
  const isOurs = await ports.mark(
    { name, by: token },
    {
      tenant,
      user: invocation.user,
      sequence: lease.sequence,
      attempt: lease.attempt,
      deadline: Date.now() + lease.remainingMs,
      signal,
      assertLease: () => held.assertHeld(),
    },
  );
  return isOurs ? untilAnswered(held, () => ports.begin(lease)) : 'unknown';
}

/** Its token makes a resend harmless, and there is time as long as the lease holds. */
async function untilAnswered<Answer>(held: HeldLease, ask: () => Promise<Answer>): Promise<Answer> {
  for (;;) {
    try {
      return await ask();
    } catch {
      await sleep(pauseMs);
      held.assertHeld();
    }
  }
}
