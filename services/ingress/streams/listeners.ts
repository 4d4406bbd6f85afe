/**
 * Everybody who waits for changes at this ingress, in either era. A listener hears when the tools
 * that its caller may use change, and what is announced for its tenant; nothing of anybody else.
 * Who it is is looked up again and again: one whose token has lost its worth is ended.
 */
import { Fault, type FaultCode } from '../../../shared/faults.ts';
import type { TenantId } from '../../../shared/ids.ts';
import type { CatalogChange } from '../../../shared/queue/change-events.ts';
import { everyTenant, type TenantChange } from '../../../shared/tenants/tenant-changes.ts';
import type { Principal } from '../../../shared/tenants/tenant.ts';
import type { Caller } from '../authenticate.ts';

export interface Listener {
  readonly caller: Caller;
  /** Saves a look-up where it is false: nothing would come of word of this resource. */
  mightWant(uri: string): boolean;
  /** Puts it on the stream, if the client asked for it. */
  tell(change: CatalogChange): void;
  /** Ends the stream in the way that tells a client that it may come back. */
  end(): void | Promise<void>;
}

export interface Listening {
  /** From now on it is told. Until its client has the first word, any other would be lost. */
  begin(): void;
  stop(): void;
  /** The same for two callers exactly if they see the same tools. */
  readonly toolsKey: string;
}

export interface ListenersPorts {
  /** The same for two principals exactly if they see the same tools. */
  readonly toolsKey: (principal: Principal) => string;
  /** Whether the principal may hear of changes to this resource. */
  readonly mayRead: (uri: string, principal: Principal) => boolean;
  /** The most listeners of one tenant, and of all, at this ingress. */
  readonly maxPerTenant: number;
  readonly max: number;
}

export interface Listeners {
  /** Undefined if its tenant, or this ingress, has as many as it may. */
  add(listener: Listener): Listening | undefined;
  /** Looks again at the listeners that a change concerns. */
  onChange(change: TenantChange): void;
  /** Tells the tenant's listeners that may know of it. */
  tell(tenant: TenantId, change: CatalogChange): void;
  readonly size: number;
  /** Ends them all, and takes no more. */
  close(): Promise<void>;
}

interface Entry {
  readonly tenant: TenantId;
  readonly listener: Listener;
  toolsKey: string;
  isOpen: boolean;
}

/** With the four seconds for which records are cached: under five from a change that nobody announced. */
const lookAgainMs = 500;

/** Whoever has lost the right to ask has lost the right to listen. A directory that fails decides nothing. */
const final: readonly FaultCode[] = ['unauthenticated', 'insufficient_scope', 'tenant_suspended'];

export function createListeners(ports: ListenersPorts): Listeners {
  const entries = new Set<Entry>();
  let timer: NodeJS.Timeout | undefined;
  let isClosed = false;

  function hasRoom(tenant: TenantId): boolean {
    if (isClosed || entries.size >= ports.max) return false;
    const own = [...entries].filter((entry) => entry.tenant === tenant);
    return own.length < ports.maxPerTenant;
  }

  function remove(entry: Entry): void {
    entries.delete(entry);
    if (entries.size > 0) return;
    clearInterval(timer);
    timer = undefined;
  }

  async function end(entry: Entry): Promise<void> {
    remove(entry);
    await entry.listener.end();
  }

  async function lookAgain(entry: Entry): Promise<void> {
    try {
      const toolsKey = ports.toolsKey(await entry.listener.caller.again());
      if (!entry.isOpen || toolsKey === entry.toolsKey) return;
      entry.toolsKey = toolsKey;
      entry.listener.tell({ kind: 'tools' });
    } catch (thrown) {
      if (final.includes(Fault.from(thrown).code)) await end(entry);
    }
  }

  async function tellOf(uri: string, { listener }: Entry): Promise<void> {
    if (!listener.mightWant(uri)) return;
    try {
      const principal = await listener.caller.again();
      if (ports.mayRead(uri, principal)) listener.tell({ kind: 'resource', uri });
    } catch {
      // Whoever cannot be looked up is told nothing.
    }
  }

  function onChange(change: TenantChange): void {
    for (const entry of entries) {
      if (change === everyTenant || change === entry.tenant) void lookAgain(entry);
    }
  }

  return {
    onChange,
    add(listener) {
      const { principal } = listener.caller;
      const tenant = principal.tenant.id;
      if (!hasRoom(tenant)) return undefined;
      const entry = { tenant, listener, toolsKey: ports.toolsKey(principal), isOpen: false };
      entries.add(entry);
      timer ??= setInterval(() => onChange(everyTenant), lookAgainMs).unref();
      return {
        begin() {
          entry.isOpen = true;
          // For what has changed since the caller was looked up.
          void lookAgain(entry);
        },
        stop: () => remove(entry),
        get toolsKey() {
          return entry.toolsKey;
        },
      };
    },
    tell(tenant, change) {
      for (const entry of entries) {
        if (entry.tenant !== tenant || !entry.isOpen) continue;
        if (change.kind === 'resource') void tellOf(change.uri, entry);
        else entry.listener.tell(change);
      }
    },
    get size() {
      return entries.size;
    },
    async close() {
      isClosed = true;
      await Promise.all([...entries].map(end));
    },
  };
}
