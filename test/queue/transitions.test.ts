import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { indexPrefix } from '../../shared/queue/names.ts';
import type { Published } from './model.ts';
import { openRedis } from './redis.ts';
import { channels, createSideBySide } from './side-by-side.ts';
import { anySteps } from './steps.ts';

const redis = await openRedis();
const commands = await redis.connect('commands');
const listener = await redis.connect('subscriptions');
await listener.subscribe(...channels, 'end');

/** Everything that is published while `work` is done. */
async function hearing(work: () => Promise<void>): Promise<readonly Published[]> {
  const heard: Published[] = [];
  const { promise: ended, resolve: end } = Promise.withResolvers<void>();
  const hear = (channel: string, text: string): void => {
    if (channel === 'end') end();
    else heard.push({ channel, text });
  };
  listener.on('message', hear);
  try {
    await work();
    // One connection hears in the order in which Redis published.
    await commands.publish('end', '');
    await ended;
  } finally {
    listener.off('message', hear);
  }
  return heard;
}

/** May be left behind once all work is done, and nothing else. */
const kept = /^(run|bell|leases|workers|dead:.+|dead-at:.+|rate:.+|reply:.+|q:[^:]+:meta)$/;

test('any interleaving of transitions leaves Redis as the model says, and settles each call once', async () => {
  await fc.assert(
    fc.asyncProperty(anySteps, async (steps) => {
      await redis.clear();
      const both = createSideBySide(commands);
      const published = await hearing(async () => {
        for (const step of steps) await both.step(step);
        await both.drain();
      });
      expect([...published].sort(byText)).toEqual([...both.model.published].sort(byText));
      expectOnePerAcceptance(published, both.accepted);
      const keys = await redis.raw.keys('*');
      const left = keys.map((key) => key.slice(indexPrefix(0).length));
      expect(left.filter((key) => !kept.test(key))).toEqual([]);
      expect(keys.every((key) => key.startsWith(indexPrefix(0)))).toBe(true);
    }),
    { numRuns: 120, interruptAfterTimeLimit: 20_000 },
  );
}, 120_000);

/** Said without the model: everyone who waits hears one end for each time a call was accepted. */
function expectOnePerAcceptance(
  published: readonly Published[],
  accepted: ReadonlyMap<string, number>,
): void {
  const idOf = ({ text }: Published): string => /"id":"([^"]+)"/.exec(text)?.[1] ?? '';
  const byId = Map.groupBy(published, idOf);
  expect([...byId.keys()].sort()).toEqual([...accepted.keys()].sort());
  for (const [id, times] of accepted) {
    const ends = byId.get(id) ?? [];
    expect(ends.length, `${id} settled`).toBeGreaterThanOrEqual(times);
    for (const channel of channels) {
      const onOne = ends.filter((each) => each.channel === channel);
      expect(onOne.length, `${id} settled once`).toBeLessThanOrEqual(times);
    }
  }
}

const byText = (a: Published, b: Published): number =>
  `${a.channel} ${a.text}` < `${b.channel} ${b.text}` ? -1 : 1;
