/**
 * Bytes -> lines, as newline-delimited JSON and event streams have them. Each byte is looked at
 * once, however many chunks a line comes in, and a line that is too long is dropped while it
 * arrives instead of being held.
 */

const newline = 0x0a;

/**
 * Yields each line without its end (LF or CRLF), and undefined in place of one of more than
 * `maxBytes`. What follows the last line end counts as a line.
 */
export async function* readLines(
  source: AsyncIterable<Buffer>,
  maxBytes: number = Infinity,
): AsyncGenerator<string | undefined> {
  let held: Buffer[] = [];
  let heldBytes = 0;

  const hold = (part: Buffer): void => {
    heldBytes += part.length;
    if (heldBytes > maxBytes) held = [];
    else held.push(part);
  };
  const take = (): string | undefined => {
    const text = heldBytes > maxBytes ? undefined : Buffer.concat(held).toString('utf8');
    held = [];
    heldBytes = 0;
    return text?.endsWith('\r') ? text.slice(0, -1) : text;
  };

  for await (const chunk of source) {
    let start = 0;
    for (let end = chunk.indexOf(newline); end >= 0; end = chunk.indexOf(newline, start)) {
      hold(chunk.subarray(start, end));
      start = end + 1;
      yield take();
    }
    if (start < chunk.length) hold(chunk.subarray(start));
  }
  if (heldBytes > 0) yield take();
}
