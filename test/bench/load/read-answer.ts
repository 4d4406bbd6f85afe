/** Reads one HTTP/1.1 answer from the bytes that have come so far. */

export interface Answer {
  readonly status: number;
  /** JSON-RPC, taken out of its event stream if it came in one. */
  readonly message: string;
  /** Bytes of the whole answer. */
  readonly length: number;
}

const headEnd = '\r\n\r\n';

/** Undefined as long as something is missing. */
export function readAnswer(bytes: Buffer): Answer | undefined {
  const end = bytes.indexOf(headEnd);
  if (end === -1) return undefined;
  const head = bytes.toString('latin1', 0, end).toLowerCase();
  const status = Number(head.slice(9, 12));
  const bodyAt = end + headEnd.length;
  const declared = /\r\ncontent-length: *(\d+)/.exec(head)?.[1];
  const body =
    declared === undefined ? readChunks(bytes, bodyAt) : readPlain(bytes, bodyAt, Number(declared));
  if (!body) return undefined;
  const isStream = head.includes('\r\ncontent-type: text/event-stream');
  return { status, message: isStream ? lastEvent(body.text) : body.text, length: body.end };
}

interface Body {
  readonly text: string;
  readonly end: number;
}

function readPlain(bytes: Buffer, from: number, length: number): Body | undefined {
  const end = from + length;
  return bytes.length < end ? undefined : { text: bytes.toString('utf8', from, end), end };
}

function readChunks(bytes: Buffer, from: number): Body | undefined {
  const chunks: Buffer[] = [];
  for (let at = from; ;) {
    const lineEnd = bytes.indexOf('\r\n', at);
    if (lineEnd === -1) return undefined;
    const size = Number.parseInt(bytes.toString('latin1', at, lineEnd), 16);
    const chunkEnd = lineEnd + 2 + size;
    if (bytes.length < chunkEnd + 2) return undefined;
    if (size === 0) return { text: Buffer.concat(chunks).toString('utf8'), end: chunkEnd + 2 };
    chunks.push(bytes.subarray(lineEnd + 2, chunkEnd));
    at = chunkEnd + 2;
  }
}

function lastEvent(text: string): string {
  return (
    text
      .split(/\r?\n/)
      .findLast((line) => line.startsWith('data: {'))
      ?.slice(6) ?? ''
  );
}
