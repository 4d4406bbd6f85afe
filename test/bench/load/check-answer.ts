/** Whether an answer is the one that the call deserves. */
import type { Answer } from './read-answer.ts';

interface Message {
  readonly id?: unknown;
  readonly result?: {
    readonly isError?: boolean;
    readonly content?: readonly { readonly text?: string }[];
  };
}

/** What is wrong with it, or undefined. */
export function problemOf(
  { status, message }: Answer,
  id: number,
  text: string | undefined,
): string | undefined {
  if (status !== 200) return `HTTP ${status}: ${brief(message)}`;
  const parsed = parse(message);
  if (!parsed?.result || parsed.result.isError) return `no result: ${brief(message)}`;
  if (parsed.id !== id) return `another id than ${id}: ${brief(message)}`;
  const wanted = text?.replaceAll('$id', String(id));
  const got = parsed.result.content?.[0]?.text;
  return wanted === undefined || got === wanted ? undefined : `another result: ${brief(message)}`;
}

function parse(message: string): Message | undefined {
  try {
    return JSON.parse(message) as Message;
  } catch {
    return undefined;
  }
}

function brief(message: string): string {
  return message.slice(0, 300);
}
