/**
 * Long answers to `subscriptions/listen`: a client hears when the tools that it may use change, and
 * nothing of anybody else. The SDK's bus knows no principal, so each stream has a handler of its
 * own and is told alone. Who holds a stream is looked up again and again: a stream whose token has
 * lost its worth is ended.
 */
import { createMcpHandler, type McpServerFactory } from '@modelcontextprotocol/server';
import { Fault, type FaultCode } from '../../shared/faults.ts';
import type { TenantId } from '../../shared/ids.ts';
import type { Change } from '../../shared/queue/change-events.ts';
import { everyTenant, type TenantChange } from '../../shared/tenants/tenant-changes.ts';
import type { Principal } from '../../shared/tenants/tenant.ts';
import type { Caller } from './authenticate.ts';

export interface SubscriptionsPorts {
  /** Makes the server that a stream is acknowledged by. */
  readonly serve: McpServerFactory;
  /** The same for two principals exactly if they see the same tools. */
  readonly toolsKey: (principal: Principal) => string;
  /** Whether the principal may hear of changes to this resource. */
  readonly mayRead: (uri: string, principal: Principal) => boolean;
  /** The most streams of one tenant, and of all, at this ingress. */
  readonly maxPerTenant: number;
  readonly max: number;
}

export interface Subscriptions {
  /** Answers with a stream, or with the SDK's own refusal. It lives until `signal` aborts. */
  listen(request: Request, body: unknown, caller: Caller, signal: AbortSignal): Promise<Response>;
  /** Looks again at the streams that a change concerns. */
  onChange(change: TenantChange): void;
  /** Tells the tenant's streams that wait for such a change, and may know of it. */
  tell(tenant: TenantId, change: Change): void;
  readonly size: number;
  /** Ends every stream, in the way that tells a client that it may come back. */
  close(): Promise<void>;
}

interface Stream {
  readonly tenant: TenantId;
  readonly caller: Caller;
  readonly handler: ReturnType<typeof createMcpHandler>;
  toolsKey: string;
  /** Until it has been acknowledged, word of a change would be lost. */
  isOpen: boolean;
}

/** With the four seconds for which records are cached: under five from a change that nobody announced. */
const lookAgainMs = 500;

/** Whoever has lost the right to ask has lost the right to listen. A directory that fails decides nothing. */
const final: readonly FaultCode[] = ['unauthenticated', 'insufficient_scope', 'tenant_suspended'];

export function createSubscriptions(ports: SubscriptionsPorts): Subscriptions {
  const streams = new Set<Stream>();
  let timer: NodeJS.Timeout | undefined;

  function mayOpen(tenant: TenantId): boolean {
    if (streams.size >= ports.max) return false;
    const own = [...streams].filter((stream) => stream.tenant === tenant);
    return own.length < ports.maxPerTenant;
  }

  function add(stream: Stream): void {
    streams.add(stream);
    timer ??= setInterval(() => onChange(everyTenant), lookAgainMs);
    timer.unref();
  }

  function remove(stream: Stream): void {
    streams.delete(stream);
    if (streams.size > 0) return;
    clearInterval(timer);
    timer = undefined;
  }

  async function end(stream: Stream): Promise<void> {
    remove(stream);
    await stream.handler.close();
  }

  async function lookAgain(stream: Stream): Promise<void> {
    try {
      const toolsKey = ports.toolsKey(await stream.caller.again());
      if (!stream.isOpen || toolsKey === stream.toolsKey) return;
      stream.toolsKey = toolsKey;
      stream.handler.notify.toolsChanged();
    } catch (thrown) {
      if (final.includes(Fault.from(thrown).code)) await end(stream);
    }
  }

  async function tellStream({ caller, handler }: Stream, change: Change): Promise<void> {
    if (change.kind === 'tools') return handler.notify.toolsChanged();
    if (change.kind === 'prompts') return handler.notify.promptsChanged();
    if (change.kind === 'resources') return handler.notify.resourcesChanged();
    try {
      if (ports.mayRead(change.uri, await caller.again())) {
        handler.notify.resourceUpdated(change.uri);
      }
    } catch {
      // Whoever cannot be looked up is told nothing.
    }
  }

  function onChange(change: TenantChange): void {
    for (const stream of streams) {
      if (change === everyTenant || change === stream.tenant) void lookAgain(stream);
    }
  }

  return {
    onChange,
    tell(tenant, change) {
      for (const stream of streams) {
        if (stream.tenant === tenant && stream.isOpen) void tellStream(stream, change);
      }
    },
    async listen(request, body, caller, signal) {
      const { principal } = caller;
      const tenant = principal.tenant.id;
      const accepted = mayOpen(tenant);
      const handler = createMcpHandler(ports.serve, { maxSubscriptions: accepted ? 1 : 0 });
      const toolsKey = ports.toolsKey(principal);
      const stream = { tenant, caller, handler, toolsKey, isOpen: false };
      if (!accepted) return handler.fetch(request, { parsedBody: body });
      add(stream);
      signal.addEventListener('abort', () => void end(stream), { once: true });
      if (signal.aborted) await end(stream);
      const answer = await handler.fetch(request, { parsedBody: body });
      stream.isOpen = true;
      // For what has changed since the caller was looked up.
      void lookAgain(stream);
      return answer;
    },
    get size() {
      return streams.size;
    },
    async close() {
      await Promise.all([...streams].map(end));
    },
  };
}
