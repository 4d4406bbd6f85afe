/**
 * Word of changes to what a tenant's clients may have listed or read, from workers to every
 * ingress. Best effort: whoever missed one sees the change at the next look.
 */
import type { Redis } from 'ioredis';
import { z } from 'zod';
import { InvocationId, TenantId } from '../ids.ts';
import { changesChannel } from './names.ts';

const Change = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('tools') }),
  z.object({ kind: z.literal('prompts') }),
  /** There are other resources than before. */
  z.object({ kind: z.literal('resources') }),
  z.object({ kind: z.literal('resource'), uri: z.string() }),
  /** A task that no invocation works for has changed. Which user it belongs to is for its record to say. */
  z.object({ kind: z.literal('task'), task: InvocationId }),
]);
export type Change = z.output<typeof Change>;
/** What concerns whoever listens, and no task of a single user. */
export type CatalogChange = Exclude<Change, { kind: 'task' }>;

const Message = z.object({ v: z.literal(1), tenant: TenantId, change: Change });

export function announceChange(redis: Redis, tenant: TenantId, change: Change): void {
  const message: z.input<typeof Message> = { v: 1, tenant, change };
  redis.publish(changesChannel, JSON.stringify(message)).catch(() => undefined);
}

/** Resolves once this process listens. */
export async function subscribeChanges(
  subscriptions: Redis,
  onChange: (tenant: TenantId, change: Change) => void,
): Promise<void> {
  subscriptions.on('message', (channel: string, text: string) => {
    if (channel !== changesChannel) return;
    const message = parse(text);
    if (message) onChange(message.tenant, message.change);
  });
  await subscriptions.subscribe(changesChannel);
  subscriptions.on('ready', () => {
    // A connection that fails here comes back, and this runs again.
    subscriptions.subscribe(changesChannel).catch(() => undefined);
  });
}

function parse(text: string): z.output<typeof Message> | undefined {
  try {
    return Message.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}
