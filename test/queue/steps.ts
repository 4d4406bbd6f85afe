/** The steps that can happen to a queue, and any list of them. */
import * as fc from 'fast-check';

export type Outcome = 'completed' | 'faulted' | 'retryable' | 'cancelled' | 'expired';

export type Step =
  | {
      readonly do: 'admit';
      readonly tenant: number;
      readonly which: 'new' | 'again' | 'keyed';
      readonly pick: number;
      readonly channel: number;
    }
  | { readonly do: 'claim'; readonly worker: number; readonly n: number }
  | { readonly do: 'begin' | 'release' | 'lapse' | 'pass' | 'cancel'; readonly pick: number }
  | {
      readonly do: 'settle';
      readonly worker: number;
      readonly pick: number;
      readonly as: Outcome;
      readonly n: number;
    }
  /** Several in one turn of the event loop. */
  | { readonly do: 'admitAll'; readonly calls: readonly Extract<Step, { do: 'admit' }>[] }
  | { readonly do: 'settleAll'; readonly picks: readonly number[]; readonly n: number }
  | { readonly do: 'renew'; readonly n: number }
  | { readonly do: 'sweep' | 'restart' | 'resume' | 'answer' }
  | {
      readonly do: 'limits';
      readonly tenant: number;
      readonly cap: number;
      readonly weight: number;
      readonly how: 'announced' | 'missed' | 'outdated';
    };

const tenant = fc.nat({ max: 2 });
const worker = fc.nat({ max: 1 });
/** Small numbers mean recent ones. */
const pick = fc.oneof({ weight: 4, arbitrary: fc.nat({ max: 4 }) }, fc.nat({ max: 20 }));

const admit = fc.record({
  do: fc.constant('admit'),
  tenant,
  which: fc.constantFrom('new', 'new', 'again', 'keyed', 'keyed'),
  pick,
  channel: fc.nat({ max: 1 }),
});

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 10, arbitrary: admit },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('admitAll'),
      calls: fc.array(admit, { minLength: 2, maxLength: 6 }),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('settleAll'),
      picks: fc.array(pick, { minLength: 2, maxLength: 5 }),
      n: fc.nat({ max: 2 }),
    }),
  },
  {
    weight: 7,
    arbitrary: fc.record({ do: fc.constant('claim'), worker, n: fc.nat({ max: 4 }) }),
  },
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constant('settle'),
      worker,
      pick,
      as: fc.constantFrom('completed', 'faulted', 'retryable', 'cancelled', 'expired'),
      n: fc.nat({ max: 2 }),
    }),
  },
  {
    weight: 14,
    arbitrary: fc.record({
      do: fc.constantFrom('begin', 'begin', 'begin', 'release', 'lapse', 'lapse', 'pass', 'cancel'),
      pick,
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant('renew'), n: fc.integer({ min: 1, max: 5 }) }),
  },
  {
    weight: 7,
    arbitrary: fc.record({
      do: fc.constantFrom('sweep', 'sweep', 'sweep', 'restart', 'resume', 'resume', 'answer'),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('limits'),
      tenant,
      cap: fc.nat({ max: 4 }),
      weight: fc.constantFrom(0.5, 1, 2, 3),
      how: fc.constantFrom('announced', 'announced', 'missed', 'outdated'),
    }),
  },
);

export const anySteps = fc.array(step, { minLength: 20, maxLength: 60, size: 'max' });
