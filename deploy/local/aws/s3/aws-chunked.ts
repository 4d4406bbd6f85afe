/** The aws-chunked encoding: chunks with their length before them, and trailing headers at the end. */
import { AwsError } from '../aws-error.ts';

const lineBreak = Buffer.from('\r\n');
const maxLineBytes = 8_192;

/**
 * Yields the content; trailing headers are put into `trailers`, by lower-case names.
 * @throws {AwsError} IncompleteBody if the end is missing.
 */
export async function* decodeChunked(
  source: AsyncIterable<Buffer>,
  trailers: Map<string, string>,
): AsyncGenerator<Buffer> {
  let buffered: Buffer = Buffer.alloc(0);
  let state: 'size' | 'content' | 'break' | 'trailers' | 'end' = 'size';
  let remaining = 0;
  for await (const bytes of source) {
    buffered = buffered.byteLength > 0 ? Buffer.concat([buffered, bytes]) : bytes;
    while (buffered.byteLength > 0 && state !== 'end') {
      if (state === 'content') {
        const content = buffered.subarray(0, remaining);
        buffered = buffered.subarray(content.byteLength);
        remaining -= content.byteLength;
        if (remaining === 0) state = 'break';
        yield content;
        continue;
      }
      const end = buffered.indexOf(lineBreak);
      if (end < 0) break;
      const line = buffered.subarray(0, end).toString('latin1');
      buffered = buffered.subarray(end + lineBreak.byteLength);
      if (state === 'size') {
        remaining = sizeOf(line);
        state = remaining > 0 ? 'content' : 'trailers';
      } else if (state === 'break') {
        state = 'size';
      } else if (line === '') {
        state = 'end';
      } else {
        const colon = line.indexOf(':');
        trailers.set(line.slice(0, colon).trim().toLowerCase(), line.slice(colon + 1).trim());
      }
    }
    if (state !== 'content' && buffered.byteLength > maxLineBytes) throw incomplete();
  }
  if (state !== 'end' && state !== 'trailers') throw incomplete();
}

function sizeOf(line: string): number {
  const [digits = ''] = line.split(';');
  if (!/^[0-9a-fA-F]{1,12}$/.test(digits)) throw incomplete();
  return Number.parseInt(digits, 16);
}

function incomplete(): AwsError {
  return new AwsError('IncompleteBody', 'The request body terminated unexpectedly');
}
