/**
 * Replays the record of leases and judges it: was any tenant ever over its cap, was any call given
 * to two workers, who waited beside a free slot, and who got which share.
 *
 * Believes nothing but the record. It takes the caps from the changes that stand in it; only for a
 * tenant whose limits never changed in that time it asks what they are.
 */
import type { LeaseEvent } from './lease-record.ts';
import { TenantReplay, type ReplayClocks, type TenantVerdict } from './tenant-replay.ts';

export interface Violation {
  /** Epoch ms by the clock of Redis. */
  readonly at: number;
  readonly tenant: string;
  readonly what: 'over the cap' | 'two leases on one call' | 'settled without a lease';
  /** The call, as the record names it. */
  readonly call: string;
  readonly running: number;
  readonly cap: number | undefined;
}

export interface Verdict {
  /** Epoch ms: the window that was judged, and how far back the record reaches. */
  readonly from: number;
  readonly to: number;
  readonly recordFrom: number | undefined;
  readonly tenants: readonly TenantVerdict[];
  readonly violations: readonly Violation[];
}

export interface KnownLimits {
  readonly cap: number;
  readonly weight: number;
}

/** @param limitsNow of tenants whose limits the record does not hold, as the queue has them */
export function verifyCaps(
  events: readonly LeaseEvent[],
  window: { readonly from: number; readonly to: number },
  limitsNow: ReadonlyMap<string, KnownLimits>,
): Verdict {
  const initial = new Map(limitsNow);
  const changed = new Set<string>();
  for (const event of events) {
    if (event.kind !== 'limits' || changed.has(event.tenant)) continue;
    changed.add(event.tenant);
    initial.set(event.tenant, { cap: event.before ?? 0, weight: event.weight });
  }
  const replay = new Replay(initial);
  const before = events.findIndex(({ at }) => at >= window.from);
  const first = before < 0 ? events.length : before;
  for (const event of events.slice(0, first)) replay.apply(event);
  replay.startWindow(window.from);
  for (const event of events.slice(first)) if (event.at <= window.to) replay.apply(event);
  return { ...window, recordFrom: events[0]?.at, ...replay.finish(window.to) };
}

class Replay {
  private readonly tenants = new Map<string, TenantReplay>();
  private readonly initial: ReadonlyMap<string, KnownLimits>;
  private readonly clocks: ReplayClocks = { free: 0, perWeight: 0 };
  private readonly workers = new Map<string, { readonly slots: number; readonly until: number }>();
  private violations: Violation[] = [];
  private running = 0;
  private contended = 0;
  private ready = { count: 0, weight: 0 };
  private heldUntil = 0;
  private now = 0;

  constructor(initial: ReadonlyMap<string, KnownLimits>) {
    this.initial = initial;
  }

  apply(event: LeaseEvent): void {
    const { at } = event;
    this.advance(at);
    switch (event.kind) {
      case 'admitted':
      case 'waits':
        return this.change(event.tenant, at, (tenant) => {
          if (tenant.end(event.call, at)) this.running -= 1;
          tenant.wait(event.call);
        });
      case 'granted':
        return this.grant(event);
      case 'renewed':
        for (const { tenant, call } of event.held) {
          this.change(tenant, at, ({ live }) => {
            if (live.has(call)) live.set(call, at + event.leaseMs);
          });
        }
        return;
      case 'settled':
        return this.change(event.tenant, at, (tenant) => {
          // A lease that ran out unnoticed may settle; a call that is back in line may not.
          if (tenant.end(event.call, at)) this.running -= 1;
          else if (tenant.isWaiting(event.call)) {
            this.complain(tenant, event.call, 'settled without a lease');
          }
        });
      case 'removed':
        return this.change(event.tenant, at, (tenant) => tenant.leave(event.call));
      case 'limits':
        return this.change(event.tenant, at, (tenant) => {
          tenant.weight = event.weight;
          tenant.setCap(event.cap, at);
        });
      case 'held':
        this.heldUntil = Math.max(this.heldUntil, at + event.ms);
        return;
      case 'worker':
        this.workers.set(event.name, { slots: event.slots, until: at + event.ms });
        return;
    }
  }

  startWindow(at: number): void {
    this.advance(at);
    for (const tenant of this.tenants.values()) tenant.reset(at);
    this.violations = [];
    this.contended = 0;
  }

  finish(at: number): Pick<Verdict, 'tenants' | 'violations'> {
    this.advance(at);
    const verdicts = [...this.tenants.values()].map((each) => each.toVerdict(at, this.contended));
    return {
      tenants: verdicts.sort((a, b) => (a.tenant < b.tenant ? -1 : 1)),
      violations: this.violations,
    };
  }

  private grant(event: LeaseEvent & { readonly kind: 'granted' }): void {
    const { at, call } = event;
    const { count, weight } = this.ready;
    this.change(event.tenant, at, (tenant) => {
      const isContended = count > 1 && tenant.isReady;
      if (isContended) {
        this.clocks.perWeight += 1 / weight;
        this.contended += 1;
        tenant.contended += 1;
        tenant.advance(at);
      }
      if (tenant.live.has(call)) this.complain(tenant, call, 'two leases on one call');
      else this.running += 1;
      if (!tenant.grant(call, at + event.leaseMs, at)) this.complain(tenant, call, 'over the cap');
    });
  }

  /** Keeps the sums over all tenants right around a change of one. */
  private change(name: string, at: number, work: (tenant: TenantReplay) => void): void {
    const tenant = this.tenantOf(name);
    this.count(tenant, -1);
    this.running -= tenant.advance(at);
    work(tenant);
    this.count(tenant, 1);
  }

  private count(tenant: TenantReplay, sign: 1 | -1): void {
    if (!tenant.isReady) return;
    this.ready.count += sign;
    this.ready.weight += sign * tenant.weight;
  }

  private tenantOf(name: string): TenantReplay {
    const known = this.tenants.get(name);
    if (known) return known;
    const { cap, weight = 1 } = this.initial.get(name) ?? {};
    const tenant = new TenantReplay(name, { cap, weight }, this.clocks);
    this.tenants.set(name, tenant);
    return tenant;
  }

  private advance(at: number): void {
    const slots = [...this.workers.values()].reduce(
      (sum, worker) => sum + (worker.until > this.now ? worker.slots : 0),
      0,
    );
    const from = Math.max(this.now, this.heldUntil);
    if (this.running < slots && at > from) this.clocks.free += at - from;
    this.now = Math.max(this.now, at);
  }

  private complain(tenant: TenantReplay, call: string, what: Violation['what']): void {
    const { cap, live } = tenant;
    this.violations.push({
      at: this.now,
      tenant: tenant.tenant,
      what,
      call,
      running: live.size,
      cap,
    });
  }
}
