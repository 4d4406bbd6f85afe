/**
 * Word that a tenant's record, users or keys changed, over Redis pub/sub. The message is the
 * tenant's id and nothing more: whoever hears it reads the record.
 */
import { once } from 'node:events';
import type { Redis } from 'ioredis';
import type { TenantId } from '../ids.ts';
import { tenantsChannel } from '../queue/names.ts';

/** Stands for every tenant. */
export const everyTenant = '*';

/** A tenant's id, or `*`. */
export type TenantChange = string;

export async function publishTenantChange(
  redis: Redis,
  tenant: TenantId | typeof everyTenant,
): Promise<void> {
  await redis.publish(tenantsChannel, tenant);
}

/**
 * Calls `onChange` for each change from now on, and with `*` whenever the subscription was
 * interrupted, since messages of that time are lost. Resolves once subscribed, with a function
 * that stops listening; the connection stays the caller's.
 */
export async function subscribeTenantChanges(
  subscriber: Redis,
  onChange: (tenant: TenantChange) => void,
): Promise<() => void> {
  const onMessage = (channel: string, message: string): void => {
    if (channel === tenantsChannel) onChange(message);
  };
  const onInterrupted = (): void => onChange(everyTenant);
  if (subscriber.status !== 'ready') await once(subscriber, 'ready');
  subscriber.on('message', onMessage);
  // Both: what was cached before is old, and what was read before the new subscription may be.
  subscriber.on('close', onInterrupted);
  subscriber.on('ready', onInterrupted);
  await subscriber.subscribe(tenantsChannel);
  return () => {
    subscriber.off('message', onMessage);
    subscriber.off('close', onInterrupted);
    subscriber.off('ready', onInterrupted);
  };
}
