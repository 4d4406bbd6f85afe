/** What a client has answered, read with the mistrust that outside input deserves. */
import { z } from 'zod';
import type { RawContext } from '../../implement.ts';

const Elicited = z.object({
  action: z.enum(['accept', 'decline', 'cancel']),
  content: z.record(z.string(), z.unknown()).default({}),
});
const Sampled = z.object({ content: z.object({ type: z.literal('text'), text: z.string() }) });
const Rooted = z.object({ roots: z.array(z.unknown()) });

type Answers = RawContext['client'];

const answer = ({ inputResponses }: Answers, key: string): unknown => inputResponses?.[key];

/** Undefined unless the client answered, in the expected form. */
export const elicited = (client: Answers, key: string) =>
  Elicited.safeParse(answer(client, key)).data;

/** A text field of an accepted form. */
export function field(client: Answers, key: string, name: string): string | undefined {
  const given = elicited(client, key);
  const value = given?.action === 'accept' ? given.content[name] : undefined;
  return typeof value === 'string' ? value : undefined;
}

export const sampled = (client: Answers, key: string): string | undefined =>
  Sampled.safeParse(answer(client, key)).data?.content.text;

export const rooted = (client: Answers, key: string) => Rooted.safeParse(answer(client, key)).data;
