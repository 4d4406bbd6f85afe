/**
 * Order by UTF-8 bytes, which DynamoDB and S3 use for keys, and sorted arrays in it.
 * JavaScript's own order differs: it puts surrogate pairs before U+E000 to U+FFFF.
 */

export function compareUtf8(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let index = 0; index < length; index += 1) {
    const left = a.charCodeAt(index);
    const right = b.charCodeAt(index);
    if (left !== right) return codePointRank(left) - codePointRank(right);
  }
  return a.length - b.length;
}

/** Surrogates stand for code points above U+FFFF, so they rank above every other code unit. */
function codePointRank(unit: number): number {
  return unit >= 0xd800 && unit <= 0xdfff ? unit + 0x10000 : unit;
}

/** The first index whose element does not come before; `order` compares an element with what is sought. */
export function lowerBound<T>(sorted: readonly T[], order: (element: T) => number): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const element = sorted[middle];
    if (element !== undefined && order(element) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}
