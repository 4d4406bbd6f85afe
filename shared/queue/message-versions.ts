/**
 * What messages look like in each version that this build reads and writes. The code knows one
 * form, that of `invocation.ts`; an entry here leads to it and back.
 *
 * While a cluster is upgraded, processes of two builds share its queues. Everything is then written
 * in the highest version that all of them read (`agreed-version.ts`), and a reply in the version of
 * its invocation. Scripts write the few replies of theirs in version 1.
 *
 * A changed message is one more entry; the older ones then translate to the new form. An entry may go
 * once no build in use needs it.
 */
export type Message = Readonly<Record<string, unknown>>;

interface Translation {
  /** From the form that this build works with. */
  readonly write: (message: Message) => Message;
  /** To that form, where it is checked. */
  readonly read: (message: Message) => Message;
}

interface MessageVersion {
  readonly invocation: Translation;
  /** The header of a reply, and whatever is heard before it. */
  readonly reply: Translation;
}

const asItIs: Translation = { write: (message) => message, read: (message) => message };

const versions: Readonly<Record<number, MessageVersion>> = {
  1: { invocation: asItIs, reply: asItIs },
};

const known = Object.keys(versions).map(Number);
export const newestVersion = Math.max(...known);
export const oldestVersion = Math.min(...known);

/** A message of a version that is for other builds to read. */
export class ForeignVersion extends Error {
  override readonly name = 'ForeignVersion';
}

/** @throws {ForeignVersion} */
export function writeMessage(kind: keyof MessageVersion, v: number, message: Message): string {
  return JSON.stringify({ v, ...versionOf(v)[kind].write(message) });
}

/**
 * @throws {ForeignVersion}
 * @throws {SyntaxError} if the text is no JSON object with a version.
 */
export function readMessage(kind: keyof MessageVersion, text: string): Message {
  const message: unknown = JSON.parse(text);
  const v = isMessage(message) ? message['v'] : undefined;
  if (!isMessage(message) || typeof v !== 'number') {
    throw new SyntaxError('A message without a version');
  }
  return { ...versionOf(v)[kind].read(message), v };
}

function versionOf(v: number): MessageVersion {
  const version = versions[v];
  if (!version) throw new ForeignVersion(`Messages of version ${v} are for other builds`);
  return version;
}

const isMessage = (value: unknown): value is Message => typeof value === 'object' && value !== null;
