import { describe, expect, test } from 'vitest';
import { createTurns } from '../../services/ingress/turns.ts';
import { TenantId } from '../../shared/ids.ts';

const acme = TenantId.parse('acme');
const globex = TenantId.parse('globex');

/** Work that ends when told to, and says when it started. */
function controlled(started: string[], name: string) {
  const { promise, resolve } = Promise.withResolvers<string>();
  const work = (): Promise<string> => {
    started.push(name);
    return promise;
  };
  return { work, finish: () => resolve(name) };
}

const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('turns', () => {
  test('run a few of a tenant at once, the rest in order, and other tenants beside them', async () => {
    const turns = createTurns(2);
    const started: string[] = [];
    const [a, b, c, d, other] = ['a', 'b', 'c', 'd', 'other'].map((name) =>
      controlled(started, name),
    );
    if (!a || !b || !c || !d || !other) throw new Error('five');
    const all = [a, b, c, d].map(({ work }) => turns.run(acme, work));
    const beside = turns.run(globex, other.work);
    await settled();
    expect(started).toEqual(['a', 'b', 'other']);
    b.finish();
    await settled();
    expect(started).toEqual(['a', 'b', 'other', 'c']);
    for (const { finish } of [a, c, d, other]) finish();
    expect(await Promise.all([...all, beside])).toEqual(['a', 'b', 'c', 'd', 'other']);
  });

  test('pass on after a failure', async () => {
    const turns = createTurns(1);
    const failing = turns.run(acme, () => Promise.reject(new Error('no')));
    const next = turns.run(acme, () => Promise.resolve('next'));
    await expect(failing).rejects.toThrow('no');
    expect(await next).toBe('next');
  });

  test('are refused to all who wait when there is nothing to wait for, and given again after', async () => {
    const turns = createTurns(1);
    const started: string[] = [];
    const first = controlled(started, 'first');
    const running = turns.run(acme, first.work);
    const waiting = [1, 2, 3].map(() => turns.run(acme, () => Promise.resolve('never')));
    const refused = Promise.allSettled(waiting);
    turns.turnAway(new Error('closed'));
    expect((await refused).map(({ status }) => status)).toEqual(Array(3).fill('rejected'));
    first.finish();
    expect(await running).toBe('first');
    expect(await turns.run(acme, () => Promise.resolve('again'))).toBe('again');
  });
});
