/**
 * Messages out of lines. A message is one line; but people paste what documentation shows, which
 * is laid out over several. Such a block begins with a line that is `{` alone, which could be no
 * message, and ends with `}` at the left edge.
 */

/** Far more than any block that a person pastes. */
const maxBlockLength = 1_048_576;

/** Yields texts of messages, and undefined for a line that was too long. Blank lines are skipped. */
export async function* joinPasted(
  lines: AsyncIterable<string | undefined>,
): AsyncGenerator<string | undefined> {
  let block: string[] | undefined;
  let length = 0;
  for await (const line of lines) {
    if (block) {
      block.push(line ?? '');
      length += line?.length ?? 0;
      if (line !== '}' && length < maxBlockLength) continue;
      yield block.join(' ');
      block = undefined;
    } else if (line === '{') {
      block = [line];
      length = 0;
    } else if (line === undefined || line.trim() !== '') {
      yield line;
    }
  }
  if (block) yield block.join(' ');
}
