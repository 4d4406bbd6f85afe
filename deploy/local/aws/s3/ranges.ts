/** The Range header: one range of bytes. */
import { AwsError } from '../aws-error.ts';

/**
 * First and last byte, or undefined for the whole object, as for a header that is no single range.
 * @throws {AwsError} InvalidRange if the object has no such byte.
 */
export function byteRange(
  range: string | undefined,
  size: number,
): [start: number, end: number] | undefined {
  const [, from = '', to = ''] = /^bytes=(\d*)-(\d*)$/.exec(range ?? '') ?? [];
  if (from === '' && to === '') return undefined;
  const start = from === '' ? Math.max(0, size - Number(to)) : Number(from);
  const end = from === '' || to === '' ? size - 1 : Math.min(Number(to), size - 1);
  if (start >= size || start > end) {
    throw new AwsError('InvalidRange', 'The requested range is not satisfiable', 416, {
      headers: { 'content-range': `bytes */${size}` },
    });
  }
  return [start, end];
}
