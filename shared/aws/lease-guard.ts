/**
 * No request past the lease. Every client of a tenant carries this middleware, the last one before
 * the wire: it asks the running call before each attempt of each request, retries included, and
 * lets nothing out that belongs to no call or to another tenant's.
 *
 * The call travels in an AsyncLocalStorage. Credentials never do: they belong to the client.
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import { Fault } from '../faults.ts';
import type { TenantId } from '../ids.ts';
import type { CallContext } from './tenant-aws.ts';

const running = new AsyncLocalStorage<CallContext>();

/** Where the middleware sits: inside the retry loop, after everything else of its step. */
export const guardPlacement = {
  step: 'finalizeRequest',
  priority: 'low',
  name: 'leaseGuard',
} as const;

/** Runs `work` as part of the call. Rejects at once if the call is already over. */
export function withinLease<T>(call: CallContext, work: () => Promise<T>): Promise<T> {
  return running.run(call, async () => {
    assertRunning(call);
    return work();
  });
}

/** The middleware for the clients of one tenant. */
export function leaseGuard(tenant: TenantId) {
  return <Args, Output>(next: (args: Args) => Promise<Output>) =>
    async (args: Args): Promise<Output> => {
      assertRunning(runningCall(tenant));
      return next(args);
    };
}

/** @throws {Fault} if no call of the tenant is running. */
export function runningCall(tenant: TenantId): CallContext {
  const call = running.getStore();
  if (call?.tenant !== tenant) throw new Fault('internal', 'A request belongs to no call');
  return call;
}

function assertRunning(call: CallContext): void {
  call.signal.throwIfAborted();
  call.assertLease();
}
