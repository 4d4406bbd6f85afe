import { describe, expect, test } from 'vitest';
import { median, percentile } from './measure/percentile.ts';

describe('a percentile', () => {
  const hundred = Array.from({ length: 100 }, (_, i) => 100 - i);

  test('is the smallest value that so many percent do not exceed', () => {
    expect(percentile(hundred, 50)).toBe(50);
    expect(percentile(hundred, 99)).toBe(99);
    expect(percentile(hundred, 100)).toBe(100);
    expect(percentile([5, 1, 3], 99)).toBe(5);
  });

  test('of one value is that value', () => {
    expect([1, 50, 99].map((percent) => percentile([7], percent))).toEqual([7, 7, 7]);
  });

  test('of nothing is no number', () => {
    expect(percentile([], 50)).toBeNaN();
  });

  test('at the middle is a value that was seen, not a mean', () => {
    expect(median([1, 2, 4, 100])).toBe(2);
    expect(median([3, 1, 2])).toBe(2);
  });
});
