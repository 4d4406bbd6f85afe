/**
 * What another cap would have made of a tenant's recorded leases. Calls come in the order in which
 * they were granted and take as long as they took; what a call waited for a slot, beyond its
 * tenant's cap, it waits again. So a higher cap is taken to find workers as free as they were.
 */
import type { LeaseEvent } from '../../queue/lease-record.ts';

export interface CapForecast {
  readonly calls: number;
  /** The most that ran at one instant. */
  readonly mostRunning: number;
  /** Milliseconds of waiting, over all calls, that the cap adds and takes away. */
  readonly longerMs: number;
  readonly shorterMs: number;
  /** The most that it adds to one call. */
  readonly longestMs: number;
}

interface Run {
  readonly admitted: number;
  readonly granted: number;
  /** Waited for a slot while its tenant was under its cap. */
  readonly slotMs: number;
  ended: number | undefined;
}

export class CapReplay {
  private readonly waiting = new Map<string, number>();
  private readonly live = new Map<string, Run>();
  private readonly runs: Run[] = [];
  private cap: number;
  private underCapSince = 0;
  private mostRunning = 0;
  private now = 0;

  /** @param cap in force when the record begins, unless the record knows better */
  constructor(cap: number) {
    this.cap = cap;
  }

  apply(event: LeaseEvent): void {
    this.now = event.at;
    switch (event.kind) {
      case 'admitted':
      case 'waits':
        this.end(event.call);
        this.waiting.set(event.call, event.at);
        return;
      case 'granted':
        return this.grant(event.call);
      case 'settled':
        return this.end(event.call);
      case 'removed':
        this.waiting.delete(event.call);
        return;
      case 'limits':
        this.cap = event.cap;
        if (this.live.size < event.cap) this.underCapSince = event.at;
        return;
      case 'renewed':
      case 'held':
      case 'worker':
        return;
    }
  }

  finish(cap: number): CapForecast {
    const ends: number[] = [];
    const forecast = { calls: this.runs.length, mostRunning: this.mostRunning };
    let [longerMs, shorterMs, longestMs] = [0, 0, 0];
    if (cap === 0) return { ...forecast, longerMs: Infinity, shorterMs, longestMs: Infinity };
    for (const { admitted, granted, slotMs, ended = this.now } of this.runs) {
      const free = ends.length < cap ? 0 : takeLeast(ends);
      const start = Math.max(admitted, free) + slotMs;
      addInOrder(ends, start + (ended - granted));
      longerMs += Math.max(0, start - granted);
      shorterMs += Math.max(0, granted - start);
      longestMs = Math.max(longestMs, start - granted);
    }
    return { ...forecast, longerMs, shorterMs, longestMs };
  }

  private grant(call: string): void {
    const granted = this.now;
    const admitted = this.waiting.get(call) ?? granted;
    this.waiting.delete(call);
    const slotMs = granted - Math.max(admitted, Math.min(granted, this.underCapSince));
    const run = { admitted, granted, slotMs, ended: undefined };
    this.runs.push(run);
    this.live.set(call, run);
    this.mostRunning = Math.max(this.mostRunning, this.live.size);
  }

  private end(call: string): void {
    const run = this.live.get(call);
    if (!run) return;
    run.ended = this.now;
    this.live.delete(call);
    if (this.live.size === this.cap - 1) this.underCapSince = this.now;
  }
}

/** Descending, so that the least is taken from the end. */
function addInOrder(ends: number[], end: number): void {
  let [low, high] = [0, ends.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((ends[middle] ?? 0) > end) low = middle + 1;
    else high = middle;
  }
  ends.splice(low, 0, end);
}

const takeLeast = (ends: number[]): number => ends.pop() ?? 0;
