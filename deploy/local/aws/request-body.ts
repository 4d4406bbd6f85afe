/** Reads a whole request body into memory. */
import type { IncomingMessage } from 'node:http';
import { AwsError } from './aws-error.ts';

/** Above every limit of the services that speak JSON. */
const maxBytes = 20_971_520;

/** @throws {AwsError} if the body is larger than any operation takes. */
export async function readBody(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request) {
    if (!Buffer.isBuffer(chunk)) continue;
    chunks.push(chunk);
    bytes += chunk.byteLength;
    if (bytes > maxBytes) throw new AwsError('RequestEntityTooLarge', 'Request is too large', 413);
  }
  const [first] = chunks;
  return chunks.length === 1 && first ? first : Buffer.concat(chunks);
}
