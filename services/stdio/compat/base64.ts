/** What is wrong with a base64 text, in the words of the decoder that the original uses. */

const alphabet = /[A-Za-z0-9+/]/;
const values = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';

/** Undefined if it is standard base64 with its padding. */
export function checkBase64(text: string): string | undefined {
  const digits = text.replace(/={0,2}$/, '');
  const padding = text.length - digits.length;
  const bytes = Buffer.from(text);
  for (const [offset, byte] of bytes.entries()) {
    if (offset < digits.length && !alphabet.test(String.fromCharCode(byte))) {
      return `Invalid symbol ${byte}, offset ${offset}.`;
    }
  }
  const rest = digits.length % 4;
  if (rest === 1) return `Invalid input length: ${digits.length}`;
  if ((digits.length + padding) % 4 !== 0) return 'Invalid padding';
  // Bits beyond the last whole byte must be zero.
  const unused = rest === 2 ? 0b1111 : rest === 3 ? 0b11 : 0;
  const last = digits.at(-1) ?? 'A';
  if ((values.indexOf(last) & unused) === 0) return undefined;
  return `Invalid last symbol ${last.charCodeAt(0)}, offset ${digits.length - 1}.`;
}
