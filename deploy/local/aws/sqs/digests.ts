/** MD5 digests by which SQS clients check what arrived. */
import { createHash } from 'node:crypto';
import { z } from 'zod';

const MessageAttribute = z.strictObject({
  DataType: z.string(),
  StringValue: z.string().optional(),
  /** Base64. */
  BinaryValue: z.string().optional(),
});
export const MessageAttributes = z.record(z.string(), MessageAttribute);
export type MessageAttributes = z.output<typeof MessageAttributes>;

export function bodyDigest(body: string): string {
  return createHash('md5').update(body).digest('hex');
}

/** Undefined without attributes. Each part counts with its length before it, attributes by name. */
export function attributesDigest(attributes: MessageAttributes | undefined): string | undefined {
  const names = Object.keys(attributes ?? {}).sort();
  if (!attributes || names.length === 0) return undefined;
  const hash = createHash('md5');
  const add = (part: string | Buffer) => {
    const bytes = Buffer.from(part);
    const length = Buffer.alloc(4);
    length.writeUInt32BE(bytes.byteLength);
    hash.update(length).update(bytes);
  };
  for (const name of names) {
    const { DataType = '', StringValue, BinaryValue } = attributes[name] ?? {};
    add(name);
    add(DataType);
    hash.update(Buffer.from([BinaryValue === undefined ? 1 : 2]));
    add(BinaryValue === undefined ? (StringValue ?? '') : Buffer.from(BinaryValue, 'base64'));
  }
  return hash.digest('hex');
}

export function attributesBytes(attributes: MessageAttributes | undefined): number {
  return Object.entries(attributes ?? {}).reduce(
    (bytes, [name, { DataType, StringValue = '', BinaryValue = '' }]) =>
      bytes +
      Buffer.byteLength(name + DataType + StringValue) +
      Buffer.byteLength(BinaryValue, 'base64'),
    0,
  );
}
