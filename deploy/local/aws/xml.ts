/** XML as S3 and STS write it, and as much reading of it as S3's few request bodies need. */

/** `[name, content]`; text content is escaped, undefined elements are left out. */
type Element = readonly [name: string, content: string | number | boolean | Elements];
export type Elements = readonly (Element | undefined)[];

export function xmlDocument(name: string, namespace: string, content: Elements): string {
  return `<?xml version="1.0" encoding="UTF-8"?>\n<${name} xmlns="${namespace}">${xml(content)}</${name}>`;
}

function xml(elements: Elements): string {
  let text = '';
  for (const element of elements) {
    if (!element) continue;
    const [name, content] = element;
    text += `<${name}>${typeof content === 'object' ? xml(content) : escapeText(String(content))}</${name}>`;
  }
  return text;
}

const entities: Readonly<Record<string, string>> = { '<': '&lt;', '>': '&gt;', '&': '&amp;' };

function escapeText(text: string): string {
  // oxlint-disable-next-line no-control-regex -- keys may hold control characters, which only survive as references
  return text.replace(/[<>&\u0000-\u001f]/g, (character) => {
    return entities[character] ?? `&#${character.charCodeAt(0)};`;
  });
}

/** The inner text of every `<name>` in the order they stand, still escaped. */
export function innerXml(document: string, name: string): readonly string[] {
  const pattern = new RegExp(`<${name}(?:\\s[^>]*)?>([\\s\\S]*?)</${name}>`, 'g');
  return [...document.matchAll(pattern)].map(([, inner]) => inner ?? '');
}

/** The text of the first `<name>`. */
export function textOf(document: string, name: string): string | undefined {
  const [inner] = innerXml(document, name);
  return inner === undefined ? undefined : unescapeText(inner);
}

const characters: Readonly<Record<string, string>> = {
  lt: '<',
  gt: '>',
  amp: '&',
  quot: '"',
  apos: "'",
};

function unescapeText(text: string): string {
  return text.replace(/&(lt|gt|amp|quot|apos|#x[0-9a-fA-F]+|#\d+);/g, (_, entity: string) => {
    const named = characters[entity];
    if (named !== undefined) return named;
    const isHex = entity.startsWith('#x');
    return String.fromCodePoint(Number.parseInt(entity.slice(isHex ? 2 : 1), isHex ? 16 : 10));
  });
}
