/** One tenant in the replay of the record of leases: what waits, what runs, and what it should have got. */
import type { CallName } from './lease-record.ts';

/** What one tenant got in the window, against what it should have got. */
export interface TenantVerdict {
  readonly tenant: string;
  /** At the end of the window; undefined if neither the record nor the queue knows it. */
  readonly cap: number | undefined;
  readonly weight: number;
  /** The most live leases at one instant. */
  readonly mostRunning: number;
  /** For so long more leases lived than the cap in force allowed. */
  readonly overCapMs: number;
  readonly grants: number;
  /** The longest that a call waited in all while a slot, and room under its tenant's cap, were free. */
  readonly longestFreeWaitMs: number;
  /** Of the grants for which this tenant and others were ready: its own. */
  readonly share: number;
  /** Of those, what its weight was due. */
  readonly dueShare: number;
}

/** Two clocks that all tenants share. */
export interface ReplayClocks {
  /** Ms during which some slot was free. */
  free: number;
  /** Contended grants, each divided by the weights of all who were ready for it. */
  perWeight: number;
}

export class TenantReplay {
  readonly tenant: string;
  weight: number;
  cap: number | undefined;
  /** Lease ends, by call. */
  readonly live = new Map<CallName, number>();
  grants = 0;
  contended = 0;
  private readonly clocks: ReplayClocks;
  /** A lowered cap is no reason to end what runs: it allows that much until it ends. */
  private allowed: number;
  /** The tenant's own clock of free time, when each call began to wait. */
  private readonly waiting = new Map<CallName, number>();
  private mostRunning = 0;
  private overSince: number | undefined;
  private overMs = 0;
  private freeMs = 0;
  private longestFreeWaitMs = 0;
  private due = 0;
  private since: { readonly free: number; readonly perWeight: number };

  constructor(
    tenant: string,
    start: { cap: number | undefined; weight: number },
    clocks: ReplayClocks,
  ) {
    this.tenant = tenant;
    this.cap = start.cap;
    this.weight = start.weight;
    this.allowed = start.cap ?? Infinity;
    this.clocks = clocks;
    this.since = { ...clocks };
  }

  get isReady(): boolean {
    return this.waiting.size > 0 && this.live.size < (this.cap ?? Infinity);
  }

  /** Whether the call is known to be in line. */
  isWaiting(call: CallName): boolean {
    return this.waiting.has(call);
  }

  /** To be called before every change of this tenant: brings it up to now. Returns leases that have run out. */
  advance(at: number): number {
    const { free, perWeight } = this.clocks;
    if (this.live.size < (this.cap ?? Infinity)) this.freeMs += free - this.since.free;
    if (this.isReady) this.due += this.weight * (perWeight - this.since.perWeight);
    this.since = { free, perWeight };
    let ended = 0;
    for (const [call, until] of this.live) {
      if (until > at) continue;
      this.end(call, until);
      ended += 1;
    }
    return ended;
  }

  wait(call: CallName): void {
    this.waiting.set(call, this.freeMs);
  }

  leave(call: CallName): void {
    const since = this.waiting.get(call);
    if (since === undefined) return;
    this.waiting.delete(call);
    this.longestFreeWaitMs = Math.max(this.longestFreeWaitMs, this.freeMs - since);
  }

  /** Returns whether the cap in force allowed it. */
  grant(call: CallName, until: number, at: number): boolean {
    this.leave(call);
    this.live.set(call, until);
    this.grants += 1;
    this.mostRunning = Math.max(this.mostRunning, this.live.size);
    if (this.live.size <= this.allowed) return true;
    this.overSince ??= at;
    return false;
  }

  /** Returns whether the lease was live. */
  end(call: CallName, at: number): boolean {
    if (!this.live.delete(call)) return false;
    this.allowed = Math.max(this.cap ?? Infinity, Math.min(this.allowed, this.live.size));
    this.settleOver(at);
    return true;
  }

  setCap(cap: number, at: number): void {
    this.cap = cap;
    this.allowed = Math.max(cap, Math.min(this.allowed, this.live.size));
    this.settleOver(at);
  }

  /** The window begins: what was counted before does not count. */
  reset(at: number): void {
    this.advance(at);
    this.mostRunning = this.live.size;
    this.grants = 0;
    this.contended = 0;
    this.overMs = 0;
    this.longestFreeWaitMs = 0;
    this.due = 0;
    if (this.overSince !== undefined) this.overSince = at;
  }

  toVerdict(at: number, allContended: number): TenantVerdict {
    this.advance(at);
    for (const call of [...this.waiting.keys()]) this.leave(call);
    const ofAll = (count: number): number => (allContended === 0 ? 0 : count / allContended);
    return {
      tenant: this.tenant,
      cap: this.cap,
      weight: this.weight,
      mostRunning: this.mostRunning,
      overCapMs: this.overMs + (this.overSince === undefined ? 0 : at - this.overSince),
      grants: this.grants,
      longestFreeWaitMs: this.longestFreeWaitMs,
      share: ofAll(this.contended),
      dueShare: ofAll(this.due),
    };
  }

  private settleOver(at: number): void {
    if (this.overSince === undefined || this.live.size > this.allowed) return;
    this.overMs += at - this.overSince;
    this.overSince = undefined;
  }
}
