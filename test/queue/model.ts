/**
 * The queue as plain data, without a clock: what the scripts must leave behind, said once more.
 * The passing of time is a step of its own: `lapse` ends a lease, `pass` a deadline.
 */
import type { InvocationId, TenantId } from '../../shared/ids.ts';
import type { AdmissionRequest } from '../../shared/queue/admission.ts';
import { encodeReply, type Reply } from '../../shared/queue/invocation.ts';
import type { Tenant } from '../../shared/tenants/tenant.ts';

export interface Call {
  readonly tenant: TenantId;
  readonly id: InvocationId;
  readonly bytes: number;
  readonly fingerprint: string;
  readonly replyTo: string;
  readonly waiters: Set<string>;
  /** Of the current lease. */
  token?: string | undefined;
  begun?: string | undefined;
  cancelled: boolean;
  late: boolean;
  attempts: number;
}

interface Queue {
  cap?: number;
  weight: number;
  version: number;
  /** The next one to start comes first. */
  waiting: InvocationId[];
  active: Set<InvocationId>;
}

interface Stored {
  /** Whoever settled it; undefined if nobody did. */
  readonly by: string | undefined;
  readonly remembered: boolean;
  readonly fingerprint: string;
  readonly text: string;
}

export interface Held {
  readonly tenant: TenantId;
  readonly id: InvocationId;
  readonly token: string;
}

export interface Published {
  readonly channel: string;
  readonly text: string;
}

export class Model {
  readonly queues = new Map<TenantId, Queue>();
  readonly calls = new Map<InvocationId, Call>();
  readonly replies = new Map<InvocationId, Stored>();
  /** Scores are virtual times. */
  readonly ready = new Map<TenantId, number>();
  readonly busy = new Set<TenantId>();
  readonly finish = new Map<TenantId, number>();
  readonly published: Published[] = [];
  clock = 0;
  rung = false;
  held = false;

  admit({ tenant, invocation, replyTo, fingerprint }: AdmissionRequest): string {
    const { id } = invocation;
    const call = this.calls.get(id);
    if (call) {
      if (call.fingerprint !== fingerprint) return 'conflict';
      if (call.replyTo !== replyTo) call.waiters.add(replyTo);
      return 'attached';
    }
    const stored = this.replies.get(id);
    if (stored && (stored.remembered || fingerprint === '')) {
      return stored.fingerprint === fingerprint ? `replied ${stored.text}` : 'conflict';
    }
    const queue = this.queue(tenant.id);
    if (queue.waiting.length >= tenant.limits.backlog) {
      this.arm(tenant.id);
      this.ring();
      return 'backlog';
    }
    this.apply(tenant);
    queue.waiting.push(id);
    this.calls.set(id, {
      tenant: tenant.id,
      id,
      bytes: Buffer.byteLength(JSON.stringify(invocation)),
      fingerprint,
      replyTo,
      waiters: new Set(),
      cancelled: false,
      late: false,
      attempts: 0,
    });
    this.arm(tenant.id);
    this.ring();
    return 'queued';
  }

  /** Starts up to `n` calls. Their tokens are the caller's to set. */
  take(n: number): Call[] {
    const taken: Call[] = [];
    if (n < 1 || this.held) return taken;
    while (taken.length < n) {
      const next = this.next();
      if (!next) break;
      const [tenant, start] = next;
      const queue = this.queue(tenant);
      const id = queue.waiting.shift();
      const call = id && this.calls.get(id);
      if (!call) throw new Error('a ready tenant has a waiting call');
      queue.active.add(call.id);
      call.attempts += 1;
      this.clock = start;
      this.finish.set(tenant, start + 1 / queue.weight);
      taken.push(call);
      this.arm(tenant);
    }
    this.ring();
    return taken;
  }

  begin({ id, token }: Held): string {
    const call = this.calls.get(id);
    if (call?.token !== token) return 'lost';
    call.begun ??= token;
    return call.begun === token ? 'begun' : 'unknown';
  }

  settle({ tenant, id, token }: Held, reply: Reply): boolean {
    const call = this.calls.get(id);
    const queue = this.queue(tenant);
    const known = call?.begun === token && call.token === undefined && queue.active.has(id);
    if (!call || (call.token !== token && !known)) {
      this.arm(tenant);
      return this.replies.get(id)?.by === token;
    }
    queue.active.delete(id);
    const final =
      reply.status === 'completed' ||
      (reply.status === 'faulted' && reply.fault.retryAfterMs === undefined);
    this.conclude(call, token, final || call.begun !== undefined, encodeReply(reply, 1));
    this.arm(tenant);
    return true;
  }

  release({ tenant, id, token }: Held): boolean {
    const call = this.calls.get(id);
    const ours = call?.token === token;
    if (call && ours) {
      call.token = undefined;
      this.queue(tenant).active.delete(id);
      this.queue(tenant).waiting.unshift(id);
    }
    this.arm(tenant);
    this.ring();
    return ours;
  }

  renew({ id, token }: Held): string {
    const call = this.calls.get(id);
    if (call?.token !== token) return 'lost';
    return call.cancelled ? 'cancelled' : 'held';
  }

  lapse(id: InvocationId): void {
    const call = this.calls.get(id);
    if (call) call.token = undefined;
  }

  pass(id: InvocationId): void {
    const call = this.calls.get(id);
    if (call) call.late = true;
  }

  /** `moved` is the order in which Redis put the lost calls back: that of a set, which is none. */
  sweep(moved: readonly InvocationId[]): { recovered: InvocationId[]; expired: InvocationId[] } {
    const recovered: InvocationId[] = [];
    for (const tenant of [...this.busy].sort()) {
      const { waiting, active } = this.queue(tenant);
      const lost = [...active].filter((id) => this.calls.get(id)?.token === undefined);
      for (const id of lost.sort((a, b) => moved.indexOf(a) - moved.indexOf(b))) {
        active.delete(id);
        waiting.unshift(id);
        recovered.push(id);
      }
      this.arm(tenant);
    }
    const late = [...this.calls.values()].filter((call) => call.late);
    const name = ({ tenant, id }: Call): string => `${tenant}/${id}`;
    const expired: InvocationId[] = [];
    for (const call of late.sort((a, b) => (name(a) < name(b) ? -1 : 1))) {
      const begun = call.begun !== undefined;
      if (this.removeWaiting(call)) {
        const reply = `{"v":1,"id":"${call.id}","status":"expired","begun":${begun}}\n`;
        this.conclude(call, undefined, begun, reply);
        this.arm(call.tenant);
        expired.push(call.id);
      } else call.late = false;
    }
    this.ring();
    return { recovered, expired };
  }

  cancel(id: InvocationId): string {
    const call = this.calls.get(id);
    if (!call) return 'gone';
    if (call.begun === undefined && this.removeWaiting(call)) {
      this.conclude(call, undefined, false, `{"v":1,"id":"${id}","status":"cancelled"}\n`);
      this.arm(call.tenant);
      this.ring();
      return 'removed';
    }
    call.cancelled = true;
    return 'asked';
  }

  setLimits(tenant: Tenant): boolean {
    const written = this.apply(tenant);
    this.arm(tenant.id);
    this.ring();
    return written;
  }

  queue(tenant: TenantId): Queue {
    const queue = this.queues.get(tenant) ?? {
      weight: 1,
      version: 0,
      waiting: [],
      active: new Set(),
    };
    this.queues.set(tenant, queue);
    return queue;
  }

  /** Pops the tenant with the least virtual time; ties go by name. */
  private next(): [TenantId, number] | undefined {
    const [least] = [...this.ready].sort(([a, x], [b, y]) => x - y || (a < b ? -1 : 1));
    if (least) this.ready.delete(least[0]);
    return least;
  }

  private apply({ id, version, weight, limits }: Tenant): boolean {
    const queue = this.queue(id);
    if (queue.version >= version) return false;
    Object.assign(queue, { cap: limits.concurrency, weight, version });
    return true;
  }

  private removeWaiting({ tenant, id }: Call): boolean {
    const { waiting } = this.queue(tenant);
    const at = waiting.indexOf(id);
    if (at >= 0) waiting.splice(at, 1);
    return at >= 0;
  }

  private conclude(call: Call, by: string | undefined, remembered: boolean, text: string): void {
    const { id, fingerprint, replyTo, waiters } = call;
    this.replies.set(id, { by, remembered, fingerprint, text });
    for (const channel of [replyTo, ...waiters]) this.published.push({ channel, text });
    this.calls.delete(id);
  }

  private arm(tenant: TenantId): void {
    const { cap, waiting, active } = this.queue(tenant);
    const finish = this.finish.get(tenant) ?? 0;
    if (waiting.length + active.size === 0) {
      this.ready.delete(tenant);
      this.busy.delete(tenant);
      if (this.busy.size === 0) {
        this.finish.clear();
        this.clock = 0;
      } else if (finish <= this.clock) this.finish.delete(tenant);
      return;
    }
    this.busy.add(tenant);
    const startable = waiting.length > 0 && cap !== undefined && active.size < cap;
    if (!startable) this.ready.delete(tenant);
    else if (!this.ready.has(tenant)) this.ready.set(tenant, Math.max(this.clock, finish));
  }

  /** Of a settlement, once its next calls have been taken. */
  ring(): void {
    if (this.ready.size > 0) this.rung = true;
  }
}
